"""A run on disk: one folder, named by a hash of what was asked for.

A run folder is ``outputs/<experiment>/<run-id>/`` with

- ``config.yaml``: the resolved config; the run id is a hash of it (see `identity`);
- ``provenance.json``: the code, packages, machine and device that the rows come from;
- ``rows.parquet`` and ``rows.csv``: one row for each cell, with the columns of
  `tables.ROW_COLUMNS`; `measures` is one of them where a row has any (see `measures`);
- ``curves.parquet``: the training curves, with the columns of `tables.CURVE_COLUMNS`;
- ``checksums.json``: of the tables and of the tables before them (see `checked_tables`);
- ``status.json``: how far the run is; ``lock.json``: which process works on it (see `lock`);
- ``checkpoints/``: stacks in training (see `checkpoints`); ``figures/``; ``run.log``.

Every file is written to a temporary file in the same folder and then renamed, so that no reader
sees half of it. Equal rows give equal bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from experiments.suite.store.checked_tables import (
    MOVE,
    CorruptRunError,
    read_table,
    refuse,
    table_fault,
    write_table,
)
from experiments.suite.store.errors import one_line
from experiments.suite.store.files import write_atomic
from experiments.suite.store.identity import run_id
from experiments.suite.store.lock import Fence
from experiments.suite.store.reading import leads_out, parse_json, parse_yaml, read_file
from experiments.suite.store.schema import (
    CONFIG,
    PROVENANCE,
    STATUS,
    Schema,
    fault_in,
    fault_in_rows,
)
from experiments.suite.store.serialising import json_bytes, yaml_bytes
from experiments.suite.store.table_bytes import csv_bytes, parquet_bytes
from experiments.suite.store.tables import CURVE_COLUMNS, ROW_COLUMNS, conform, without_empty

if TYPE_CHECKING:
    import pyarrow as pa
    from pandas import DataFrame

STATES = ("running", "stopped", "finished", "failed")
TABLES = ("rows.parquet", "curves.parquet")
_RUN_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Run:
    """The folder of one run; made with `Run.create`, found with `joined.load_runs`.

    With a fence, only the holder of the run's lock can write (see `lock`).
    """

    folder: Path
    fence: Fence | None = field(default=None, compare=False, repr=False)

    def fenced(self) -> AbstractContextManager[None]:
        """Inside this `with` block this process may write, where it holds the run's lock.

        Raises:
            LostLockError: another process has taken the lock over.
        """
        return self.fence.writing() if self.fence else nullcontext()

    @classmethod
    def create(cls, outputs: Path, experiment: str, config: Mapping[str, Any]) -> Run:
        """The run of `experiment` under the resolved `config`, with its folder and config.yaml.

        Raises:
            CorruptRunError: a link there leads out of the outputs folder.
        """
        run = cls(Path(outputs) / experiment / run_id(config))
        run.check_folders()
        run.write_config(config)
        return run

    @property
    def experiment(self) -> str:
        return self.folder.parent.name

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def figures(self) -> Path:
        return self.folder / "figures"

    @property
    def log(self) -> Path:
        return self.folder / "run.log"

    @property
    def finished(self) -> bool:
        """Whether the status says so, and all files are as they were written."""
        if any(table_fault(self.folder, name) for name in TABLES):
            return False
        try:
            self.check()
        except CorruptRunError:
            return False
        status = self.read_status()
        return status["state"] == "finished" and len(self.read_rows()) == status.get("cells")

    def write(self, name: str, data: bytes) -> Path:
        """Write a further file, such as ``figures/map.svg``, and return its path.

        Raises:
            ValueError: `name` leads out of the run's folder.
        """
        path = self.folder / name
        if ".." in Path(name).parts or not path.is_relative_to(self.folder):
            raise ValueError(
                f"expected a name inside the run folder, got {name!r}: leave out '..' and '/'"
            )
        with self.fenced():
            write_atomic(path, data)
        return path

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write config.yaml: plain data only, in the order given."""
        self.write("config.yaml", yaml_bytes(config))

    def write_provenance(self, provenance: Mapping[str, Any]) -> None:
        self.write("provenance.json", json_bytes(dict(provenance)))

    def write_status(self, status: Mapping[str, Any]) -> None:
        """Write status.json; its ``state`` must be one of `STATES`."""
        if status.get("state") not in STATES:
            raise ValueError(
                f"expected state {' | '.join(STATES)}, got {status.get('state')!r}: "
                "name one of them"
            )
        self.write("status.json", json_bytes(dict(status)))

    def write_rows(self, rows: DataFrame) -> None:
        """Write rows.parquet and rows.csv in the order given; every row has another key."""
        rows = conform(rows, ROW_COLUMNS)
        if (twice := rows["key"].duplicated()).any():
            raise ValueError(
                f"expected one row a cell, got key {rows['key'][twice].iloc[0]!r} twice: "
                "keep one of its rows"
            )
        rows = without_empty(rows)
        with self.fenced():
            write_table(self.folder, "rows.parquet", parquet_bytes(rows))
            self.write("rows.csv", csv_bytes(rows))

    def write_curves(self, curves: DataFrame) -> None:
        data = parquet_bytes(conform(curves, CURVE_COLUMNS))
        with self.fenced():
            write_table(self.folder, "curves.parquet", data)

    def read_config(self) -> dict[str, Any]:
        return self._read("config.yaml", parse_yaml, CONFIG)

    def read_provenance(self) -> dict[str, Any]:
        return self._read("provenance.json", parse_json, PROVENANCE)

    def read_status(self) -> dict[str, Any]:
        status = self._read("status.json", parse_json)
        if (state := status.get("state")) not in STATES:
            refuse(self.folder / "status.json", f"state {' | '.join(STATES)}", repr(state))
        return status

    def read_rows(self) -> DataFrame:
        """The rows written so far; an empty table where there are none."""
        return conform(self.read_row_table().to_pandas(), ROW_COLUMNS)

    def read_row_table(self) -> pa.Table:
        """As `read_rows`, an arrow table: the fast way to read many runs."""
        return read_table(self.folder, "rows.parquet", ROW_COLUMNS)

    def read_curves(self) -> DataFrame:
        """The curves written so far; an empty table where there are none."""
        return conform(self._read_curve_table().to_pandas(), CURVE_COLUMNS)

    def _read_curve_table(self) -> pa.Table:
        return read_table(self.folder, "curves.parquet", CURVE_COLUMNS)

    def check(self) -> pa.Table:
        """Read every file once, and return the rows.

        Raises:
            CorruptRunError: a file is missing, cannot be read, or holds what no run writes.
        """
        self.check_folders()
        self.read_config()
        self.read_provenance()
        if fault := fault_in(self.read_status(), STATUS):
            raise CorruptRunError(self.folder / "status.json", fault)
        self._read_curve_table()
        rows = self.read_row_table()
        if fault := fault_in_rows(rows):
            raise CorruptRunError(self.folder / "rows.parquet", fault)
        return rows

    def check_folders(self) -> None:
        """Raise a CorruptRunError where a link of the run leads out of the outputs folder."""
        outputs = self.folder.parent.parent
        folders = (
            *(self.folder.parent, self.folder.parent / ".basis", self.folder),
            *(self.figures, self.folder / "checkpoints"),
        )
        for path in folders:
            if leads_out(path, outputs):
                raise CorruptRunError(path, "expected a folder, got a link that leads out", MOVE)

    def _read(
        self,
        name: str,
        parse: Callable[[bytes], Any],
        schema: Schema = MappingProxyType({}),
    ) -> dict[str, Any]:
        path = self.folder / name
        try:
            value = parse(read_file(path))
        except (OSError, ValueError) as error:
            refuse(path, "a readable file", one_line(error), error)
        if not isinstance(value, dict):
            refuse(path, "a dict", type(value).__name__)
        if fault := fault_in(value, schema):
            raise CorruptRunError(path, fault)
        return value


def siblings(run: Run, basis: str) -> list[Run]:
    """The other runs with this basis (see `cells_basis`); registers `run` as one of them."""
    folder = run.folder.parent / ".basis" / basis
    names = sorted(p.name for p in folder.glob("*") if _RUN_ID.fullmatch(p.name))
    if run.run_id not in names:
        write_atomic(folder / run.run_id, b"")
    return [Run(run.folder.parent / name) for name in names if name != run.run_id]


def run_folders(outputs: Path) -> list[Path]:
    """The folders under `outputs` that are named like runs, sorted."""
    found = sorted(Path(outputs).glob("*/*"))
    return [path for path in found if _RUN_ID.fullmatch(path.name) and path.is_dir()]
