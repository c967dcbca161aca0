"""Runs on disk: a folder a run, named by what was asked; no reader ever meets half a file.

A run folder is ``outputs/<experiment>/<run-id>/`` with

- ``config.yaml``: the resolved config; the run id is a hash of it;
- ``provenance.json``: the code, packages, machine and device that the rows come from;
- ``rows.parquet`` and ``rows.csv``: one row a cell, columns as in `ROW_COLUMNS`;
- ``curves.parquet``: the training curves, columns as in `CURVE_COLUMNS`;
- ``checksums.json``: of the tables, and of the copies before them (``*.previous.parquet``), which
  stand in where a table is broken;
- ``status.json``: how far the run is; ``lock.json``: who works on it (see `lock`);
- ``checkpoints/``: stacks in training (see `checkpoints`); ``figures/``; ``run.log``.

Every write goes to a temporary file in the same folder and is renamed into place. Rows are the
interface between computing and drawing: they are typed here, once, and written so that equal rows
give equal bytes. `collect_provenance` and `utc_now` read git, the environment and the clock: the
runner alone calls them.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.metadata
import io
import json
import logging
import operator
import os
import platform
import re
import subprocess  # noqa: TID251
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

if TYPE_CHECKING:
    import pyarrow as pa
    from pandas import DataFrame

log = logging.getLogger(__name__)

DISTRIBUTION = "mine-mi"
PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "matplotlib",
    "seaborn",
    "hydra-core",
    "omegaconf",
    "jinja2",
)
"""The distributions whose versions the provenance names."""

IGNORED_KEYS = frozenset(
    {"hydra", "outputs", "checkpoint_seconds", "time_limit", "threads", "figures", "sinks"}
)
"""Top-level keys of a config that do not change a run's results, and so not its id."""

STATES = ("running", "stopped", "finished", "failed")
ROW_STATUSES = ("ok", "failed", "diverged")

ROW_COLUMNS: Mapping[str, str] = {
    "experiment": "str",
    "run_id": "str",
    "key": "str",
    "role": "str",
    "task": "str",
    "params": "str",
    "dim": "int64",
    "method": "str",
    "seed": "int64",
    "n_train": "int64",
    "n_test": "int64",
    "steps": "int64",
    "nats": "float64",
    "stderr": "float64",
    "truth": "float64",
    "train_nats": "float64",
    "seconds": "float64",
    "device": "str",
    "status": "str",
    "reason": "str",
    "step_diverged": "int64",
    "warnings": "str",
}
"""Column -> dtype of the rows, in the order in which they are written."""

CURVE_COLUMNS: Mapping[str, str] = {"key": "str", "step": "int64", "train_nats": "float64"}
"""Column -> dtype of the training curves: a smoothed training value (nats) of a cell at a step."""

TABLES = ("rows.parquet", "curves.parquet")

JOINED_AT_ONCE = 200
"""Runs whose rows are held in memory together while all runs are joined."""

_PLAIN = {"int64": int, "float64": float}
"""Numbers that are what a column holds as they are."""
_MISSING: Mapping[str, Any] = {"str": "", "int64": 0, "float64": float("nan")}
_MISSING_IN: Mapping[str, Any] = {"step_diverged": -1}
_REQUIRED = frozenset({"key", "status"})
_RUN_ID = re.compile(r"[0-9a-f]{12}")


class OutputError(OSError):
    """The output folder cannot be written: one line that says expected, got and what to do."""


class CorruptRunError(ValueError):
    """A file of a run folder is missing or unreadable: one line says which, and what to do."""


# Writing


def write_atomic(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write `data`, or its pieces in order, to `path`, whole or not at all; folders are made.

    The bytes go to a temporary file beside `path`, are synced to disk, and take its name in one
    step. On any error the temporary file is removed and what stood at `path` stays.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                file.writelines([data] if isinstance(data, bytes) else data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _sync_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        _refuse(path, len(data) if isinstance(data, bytes) else None, error)


def check_outputs(outputs: Path) -> None:
    """Make `outputs` and prove that it can be written, before a run spends time.

    Raises:
        OutputError: as for `write_atomic`.
    """
    probe = outputs / f".probe-{uuid.uuid4().hex}"
    write_atomic(probe, b"x" * 4096)
    probe.unlink()


def _sync_folder(folder: Path) -> None:
    """Sync the entry of a renamed file, where the system lets folders be opened and synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refuse(path: Path, size: int | None, error: OSError) -> NoReturn:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        room = "enough room" if size is None else f"room for {size} bytes"
        expected, remedy = room, "free some space, or name another folder"
    else:
        expected, remedy = "a folder that can be written", "mend it, or name another folder"
    raise OutputError(
        f"expected {expected} at {path.parent}, got {error.strerror!r}: "
        f"{remedy} with outputs=<folder>"
    ) from error


# Configs


def canonical_json(value: Any) -> str:
    """The one JSON text of plain data: sorted keys, no spaces; equal data give equal text.

    Raises:
        ValueError: something in `value` is not plain data.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    except TypeError as error:
        raise ValueError(
            f"expected plain data (dict, list, str, number, bool, None), got {error}: "
            "resolve the config first"
        ) from error


def json_bytes(value: Any) -> bytes:
    """JSON for people and programs: indented, UTF-8; strict, so nan and inf are refused."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def yaml_bytes(config: Mapping[str, Any]) -> bytes:
    """Plain data as YAML, UTF-8, in the order given."""
    text: str = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=99)
    return text.encode()


def read_yaml(text: bytes) -> Any:
    """The plain data of a YAML document: the safe loader, in C where PyYAML was built with it."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text).get_single_data()


@cache
def package_version() -> str:
    """The version of the installed package, ``0+unknown`` where it is not installed."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"


def run_id(config: Mapping[str, Any], version: str | None = None) -> str:
    """What was asked, as 12 hexadecimal digits: a hash of the config and the package's version.

    Args:
        config: the resolved config as plain data; keys in `IGNORED_KEYS` are left out, order plays
            no part.
        version: the package's version, the installed one unless said.
    """
    asked = {key: value for key, value in config.items() if key not in IGNORED_KEYS}
    if asked.get("shards") == 1:  # the whole grid, as where nothing is said of shards
        asked = {key: value for key, value in asked.items() if key not in ("shards", "shard")}
    identity = {"config": asked, "version": package_version() if version is None else version}
    return hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:12]


# Tables


def row_frame(rows: Iterable[Mapping[str, Any]]) -> DataFrame:
    """A typed table of rows, columns as in `ROW_COLUMNS`.

    A column that a row does not have (or has as None) is filled: "" for text, nan for numbers with
    a point, 0 for whole numbers and -1 for `step_diverged`.

    Raises:
        ValueError: an unknown column, a value of another type, a row without key or status.
    """
    return _typed(list(rows), ROW_COLUMNS, required=_REQUIRED)


def curve_frame(points: Iterable[Mapping[str, Any]]) -> DataFrame:
    """A typed table of curve points, columns as in `CURVE_COLUMNS`; all three must be there."""
    return _typed(list(points), CURVE_COLUMNS, required=frozenset(CURVE_COLUMNS))


def join_rows(runs: Iterable[Run]) -> DataFrame:
    """The rows of all `runs` as one table."""
    import pyarrow as pa

    tables = [table for table in (run.read_row_table() for run in runs) if len(table)]
    return pa.concat_tables(tables).to_pandas() if tables else row_frame([])


def join_curves(runs: Iterable[Run]) -> DataFrame:
    """The training curves of all `runs` as one table."""
    import pandas as pd

    tables = [table for table in (run.read_curves() for run in runs) if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else curve_frame([])


def parquet_to_csv(data: bytes) -> Iterator[bytes]:
    """A parquet file as CSV, one piece a row group; it reads as what `csv_bytes` writes."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(data))
    comma = pa.scalar(",", pa.large_string())
    yield f"{','.join(file.schema_arrow.names)}\n".encode()
    for group in range(file.num_row_groups):
        columns = [_csv_texts(column) for column in file.read_row_group(group).columns]
        lines = pc.binary_join_element_wise(*columns, comma)
        yield "".join(f"{line}\n" for line in lines.to_pylist()).encode()


def _csv_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column's values as CSV, quoted where they must be."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.fill_null(column.cast(pa.large_string()), "nan")
    if not pa.types.is_large_string(column.type):
        return texts
    texts = pc.replace_substring(texts, "\r", "\\r")  # as in `csv_bytes`
    mark = pa.scalar('"', pa.large_string())
    doubled = pc.replace_substring(texts, '"', '""')
    quoted = pc.binary_join_element_wise(mark, doubled, mark, pa.scalar("", pa.large_string()))
    return pc.if_else(pc.match_substring_regex(texts, '[",\n]'), quoted, texts)


def csv_bytes(frame: DataFrame) -> bytes:
    """`frame` as CSV; a number's digits give the same double back, and nan is ``nan``."""
    form: Any = {"index": False, "na_rep": "nan", "lineterminator": "\n"}
    csv: str = frame.to_csv(**form)
    if "\r" in csv:  # unquoted, it would end a reader's line: a backslash and an r in its place
        text = frame.select_dtypes("str").columns
        frame = frame.assign(**{n: frame[n].str.replace("\r", "\\r") for n in text})
        csv = frame.to_csv(**form)
    return csv.encode()


def parquet_bytes(frame: DataFrame) -> bytes:
    """`frame` as parquet, without pandas's own metadata: equal tables give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def arrow_schema(columns: Mapping[str, str]) -> pa.Schema:
    """Column -> dtype as arrow's schema, without metadata."""
    import pyarrow as pa

    types = {"str": pa.large_string(), "int64": pa.int64(), "float64": pa.float64()}
    return pa.schema([(name, types[dtype]) for name, dtype in columns.items()])


def _typed(
    records: Sequence[Mapping[str, Any]], columns: Mapping[str, str], required: frozenset[str]
) -> DataFrame:
    import pyarrow as pa

    needed = [name for name in columns if name in required]
    for record in records:
        if unknown := record.keys() - columns.keys():
            raise ValueError(
                f"expected the columns {', '.join(columns)}, "
                f"got {', '.join(sorted(unknown))} as well: drop or declare them"
            )
        if absent := [name for name in needed if record.get(name) is None]:
            raise ValueError(
                f"expected a value for {', '.join(absent)} in each row, got {record}: fill it in"
            )
    values = {
        name: _cast_all(name, dtype, [record.get(name) for record in records])
        for name, dtype in columns.items()
    }
    # Arrow makes such a table in less than half the time that pandas takes, column by column.
    frame = pa.table(values, schema=arrow_schema(columns)).to_pandas()
    _check_statuses(frame)
    return frame


def _cast_all(name: str, dtype: str, values: Sequence[Any]) -> Sequence[Any]:
    if {*map(type, values)} == {_PLAIN.get(dtype)}:
        return values
    return [_cast(name, dtype, value) for value in values]


def _cast(name: str, dtype: str, value: Any) -> Any:
    """`value` as the plain Python value of `dtype`; nothing is rounded or guessed."""
    if value is None:
        return _MISSING_IN.get(name, _MISSING[dtype])
    with contextlib.suppress(TypeError):
        if isinstance(value, str):
            if dtype == "str":
                return value.encode("utf-8", "backslashreplace").decode()
        elif dtype == "float64":
            return float(value)
        elif dtype == "int64":
            return operator.index(value)
    raise ValueError(
        f"expected {dtype} in column {name}, got {value!r}: convert it before it becomes a row"
    )


def _check_statuses(frame: DataFrame) -> None:
    if unknown := [one for one in frame.get("status", ()) if one not in ROW_STATUSES]:
        raise ValueError(
            f"expected status {' | '.join(ROW_STATUSES)}, got {unknown[0]!r}: "
            "a cell that raised is 'failed', one that turned non-finite 'diverged'"
        )


def _complete(table: pa.Table) -> bool:
    """Whether text and whole numbers have a value in each row, and a status is one there is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if any(c.null_count for c in table.columns if not pa.types.is_floating(c.type)):
        return False
    found = table["status"] if "status" in table.column_names else None
    return found is None or set(pc.unique(found).to_pylist()) <= set(ROW_STATUSES)


def _conform(frame: DataFrame, columns: Mapping[str, str]) -> DataFrame:
    """`frame` with exactly these columns, in this order and with these dtypes.

    Raises:
        ValueError: a column is missing, or one is too many, or holds another type.
    """
    if set(frame.columns) != set(columns):
        raise ValueError(
            f"expected the columns {', '.join(columns)}, "
            f"got {', '.join(map(str, frame.columns))}: "
            "build the table with row_frame or curve_frame"
        )
    frame = frame[list(columns)].reset_index(drop=True)
    found = map(str, frame.dtypes)
    if odd := [name for name, dtype in zip(columns, found, strict=True) if dtype != columns[name]]:
        frame = frame.assign(
            **{name: [_cast(name, columns[name], value) for value in frame[name]] for name in odd}
        ).astype({name: columns[name] for name in odd})
    _check_statuses(frame)
    return frame


# Runs


@dataclass(frozen=True)
class Run:
    """One run's folder; made with `Run.create`, found with `load_runs`."""

    folder: Path

    @classmethod
    def create(cls, outputs: Path, experiment: str, config: Mapping[str, Any]) -> Run:
        """The run of `experiment` under the resolved `config`, with its folder and config.yaml."""
        run = cls(Path(outputs) / experiment / run_id(config))
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
        """Whether nothing is left to do: the status says so and all of it is as it was written."""
        if any(self.table_fault(name) for name in TABLES):
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
        write_atomic(path, data)
        return path

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write config.yaml; plain data only, in the order given."""
        self.write("config.yaml", yaml_bytes(config))

    def write_provenance(self, provenance: Mapping[str, Any]) -> None:
        self.write("provenance.json", json_bytes(dict(provenance)))

    def write_status(self, status: Mapping[str, Any]) -> None:
        """Write status.json: at least ``state``, one of `STATES`."""
        if status.get("state") not in STATES:
            raise ValueError(
                f"expected state {' | '.join(STATES)}, got {status.get('state')!r}: "
                "name one of them"
            )
        self.write("status.json", json_bytes(dict(status)))

    def write_rows(self, rows: DataFrame) -> None:
        """Write rows.csv and rows.parquet in the order given; one row a cell: keys must differ."""
        rows = _conform(rows, ROW_COLUMNS)
        if (twice := rows["key"].duplicated()).any():
            raise ValueError(
                f"expected one row a cell, got key {rows['key'][twice].iloc[0]!r} twice: "
                "keep one of its rows"
            )
        self._write_table("rows.parquet", parquet_bytes(rows))
        self.write("rows.csv", csv_bytes(rows))

    def write_curves(self, curves: DataFrame) -> None:
        self._write_table("curves.parquet", parquet_bytes(_conform(curves, CURVE_COLUMNS)))

    def _write_table(self, name: str, data: bytes) -> None:
        """The table, its checksum, and the table before it: at any moment one of the two is whole.

        The checksums are written before the table and name both, so that no moment has a table
        that they do not know.
        """
        known = self._checksums()
        before = None
        with contextlib.suppress(FileNotFoundError):
            before = (self.folder / name).read_bytes()
        acceptable = [_sha256(data)]
        if before is not None and _sha256(before) in known.get(name, [_sha256(before)]):
            acceptable.append(_sha256(before))
            if before != data:
                self.write(_previous(name), before)
                known[_previous(name)] = [_sha256(before)]
        known[name] = acceptable
        self.write("checksums.json", json_bytes(known))
        self.write(name, data)

    def table_fault(self, name: str) -> str:
        """What is wrong with a table's file, from its bytes alone; "" for nothing."""
        known = self._checksums()
        try:
            data = (self.folder / name).read_bytes()
        except FileNotFoundError:
            return "expected a table, got none" if name in known else ""
        except OSError as error:
            return _one_line(error)
        if name in known and _sha256(data) not in known[name]:
            if self._checksums() != known:  # a run at work wrote it anew meanwhile
                return self.table_fault(name)
            return "expected a readable table, got a checksum that differs"
        if name not in known and not (data.startswith(b"PAR1") and data.endswith(b"PAR1")):
            return "expected a readable table, got something else, or a part of one"
        return ""

    def fallback(self, name: str) -> bool:
        """Whether a whole copy of the table before it is there."""
        copy = _previous(name)
        return (self.folder / copy).exists() and not self.table_fault(copy)

    def _checksums(self) -> dict[str, list[str]]:
        """Of each table the checksums that it may have; none where they cannot be read."""
        try:
            found = json.loads((self.folder / "checksums.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def read_config(self) -> dict[str, Any]:
        return self._read("config.yaml", read_yaml, dict)

    def read_provenance(self) -> dict[str, Any]:
        return self._read("provenance.json", json.loads, dict)

    def read_status(self) -> dict[str, Any]:
        status: dict[str, Any] = self._read("status.json", json.loads, dict)
        if status.get("state") not in STATES:
            self._complain("status.json", f"state {' | '.join(STATES)}", repr(status.get("state")))
        return status

    def read_rows(self) -> DataFrame:
        """The rows so far, none where none are written: a run taken up again skips their keys."""
        return self._read_table("rows.parquet", ROW_COLUMNS)

    def read_row_table(self) -> pa.Table:
        """As `read_rows`, an arrow table: the fast way to read many runs."""
        return self._read_arrow("rows.parquet", ROW_COLUMNS)

    def read_curves(self) -> DataFrame:
        """The curves so far, none where nothing is written yet."""
        return self._read_table("curves.parquet", CURVE_COLUMNS)

    def check(self) -> pa.Table:
        """Read everything once; returns the rows.

        Raises:
            CorruptRunError: something is missing or cannot be read.
        """
        self.read_config()
        self.read_provenance()
        self.read_status()
        self._read_arrow("curves.parquet", CURVE_COLUMNS)
        return self.read_row_table()

    def _read(self, name: str, parse: Callable[[bytes], Any], kind: type) -> Any:
        try:
            value = parse((self.folder / name).read_bytes())
        except (OSError, ValueError, yaml.YAMLError) as error:
            self._complain(name, "a readable file", _one_line(error), error)
        if not isinstance(value, kind):
            self._complain(name, f"a {kind.__name__}", type(value).__name__)
        return value

    def _read_table(self, name: str, columns: Mapping[str, str]) -> DataFrame:
        return _conform(self._read_arrow(name, columns).to_pandas(), columns)

    def _read_arrow(self, name: str, columns: Mapping[str, str]) -> pa.Table:
        """A table; where it is broken, the copy before it."""
        known = self._checksums()
        try:
            return self._read_whole(name, columns, known)
        except CorruptRunError as error:
            if self._checksums() != known:  # a run at work wrote it anew meanwhile
                return self._read_arrow(name, columns)
            if not (self.folder / _previous(name)).exists():
                raise
            found = self._read_whole(_previous(name), columns, known)
            log.warning("%s: the copy before it is used", error)
            return found

    def _read_whole(
        self, name: str, columns: Mapping[str, str], known: Mapping[str, Sequence[str]]
    ) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = arrow_schema(columns)
        if not (self.folder / name).exists():
            if name not in known:
                return schema.empty_table()
            self._complain(name, "a table", "none")
        try:
            data = (self.folder / name).read_bytes()
            if name in known and _sha256(data) not in known[name]:
                raise ValueError("a checksum that differs: it was cut or changed")
            # read_table sets up a dataset for each file, which takes longer than reading it.
            table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
            if table.schema.equals(schema) and _complete(table):
                return table
            mended = _conform(table.to_pandas(), columns)
            return pa.Table.from_pandas(mended, schema=schema, preserve_index=False)
        except (OSError, ValueError, TypeError, pa.ArrowException) as error:
            self._complain(name, "a readable table", _one_line(error), error)

    def _complain(
        self, name: str, expected: str, got: str, cause: Exception | None = None
    ) -> NoReturn:
        raise CorruptRunError(
            f"{self.folder / name}: expected {expected}, got {got}: "
            f"remove {self.folder} and run it again"
        ) from cause


def cells_basis(config: Mapping[str, Any], device: str) -> str:
    """What, beside the cell itself, its row depends on, as 12 hexadecimal digits.

    Runs of one experiment and one basis have equal rows for equal cells, however their grids
    differ: a grid that grows computes its new cells only.
    """
    train = {k: v for k, v in config["train"].items() if k != "steps"}  # the cell has them
    basis = {
        "train": train,
        "critic": config["critic"],
        "estimator": config["estimator"],
        "n_test": config["scale"]["n_test"],
        "device": device.partition(":")[0],
        "version": package_version(),
    }
    return hashlib.sha256(canonical_json(basis).encode()).hexdigest()[:12]


def siblings(run: Run, basis: str) -> list[Run]:
    """The other runs of this basis; notes that `run` is one of them."""
    folder = run.folder.parent / ".basis" / basis
    names = sorted(p.name for p in folder.glob("*") if _RUN_ID.fullmatch(p.name))
    if run.run_id not in names:
        write_atomic(folder / run.run_id, b"")
    return [Run(run.folder.parent / name) for name in names if name != run.run_id]


def run_folders(outputs: Path) -> list[Path]:
    """The folders under `outputs` that are named like runs, sorted."""
    return [f for f in sorted(Path(outputs).glob("*/*/")) if _RUN_ID.fullmatch(f.name)]


def scan_runs(outputs: Path) -> Iterator[tuple[Run, pa.Table | CorruptRunError]]:
    """Every run folder under `outputs`, sorted, with its rows or with what is wrong with it."""
    for folder in run_folders(outputs):
        run = Run(folder)
        found: pa.Table | CorruptRunError
        try:
            found = run.check()
        except CorruptRunError as error:
            found = error
        yield run, found


def load_runs(outputs: Path) -> tuple[list[Run], list[str]]:
    """The runs under `outputs`, sorted, and what is wrong with those that cannot be read.

    A run that is not finished is a run all the same: its status says so. A folder with a missing
    or broken config, provenance, status or table is left out and named among the problems, one
    line each.
    """
    runs, problems = [], []
    for run, found in scan_runs(outputs):
        if isinstance(found, CorruptRunError):
            problems.append(str(found))
        else:
            runs.append(run)
    return runs, problems


@dataclass(frozen=True)
class Joined:
    """Runs, what is wrong with the others, and the rows of all runs as one parquet file."""

    runs: list[Run]
    problems: list[str]
    rows: int
    parquet: bytes

    def frame(self, columns: Sequence[str]) -> DataFrame:
        """These columns of all rows; text as categories, which takes little memory."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        text = [name for name in columns if ROW_COLUMNS[name] == "str"]
        file = pq.ParquetFile(pa.BufferReader(self.parquet), read_dictionary=text)
        return file.read(columns=list(columns)).to_pandas()


def join_runs(outputs: Path, columns: Sequence[str]) -> Joined:
    """As `load_runs`, with the rows of all runs joined, `columns` in this order.

    Each file is read once, and the rows of a few runs are held at a time: beside them, what stays
    in memory is the packed file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    runs: list[Run] = []
    problems: list[str] = []
    waiting: list[pa.Table] = []
    schema = arrow_schema({name: ROW_COLUMNS[name] for name in columns})
    buffer, rows = io.BytesIO(), 0
    with pq.ParquetWriter(buffer, schema, compression="zstd") as writer:

        def flush() -> None:
            if any(map(len, waiting)):
                writer.write_table(pa.concat_tables(waiting).select(list(columns)))
            waiting.clear()

        for run, found in scan_runs(outputs):
            if isinstance(found, CorruptRunError):
                problems.append(str(found))
                continue
            runs.append(run)
            waiting.append(found)
            rows += len(found)
            if len(waiting) == JOINED_AT_ONCE:
                flush()
        flush()
    return Joined(runs, problems, rows, buffer.getvalue())


def _previous(name: str) -> str:
    stem, _, kind = name.rpartition(".")
    return f"{stem}.previous.{kind}"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


# What the runner alone may ask: the clock, git and the environment


def utc_now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")  # noqa: TID251


def collect_provenance(
    *, device: str, seed: int, threads: int, root: Path | None = None
) -> dict[str, Any]:
    """Where a run's rows come from, as plain data.

    Args:
        device: the device that the run uses, as torch names it.
        seed: the seed that the cells' seeds are derived from.
        threads: how many torch may use.
        root: the checkout, this file's unless said.

    Returns:
        git_commit (None outside a checkout), git_dirty (None there), version, packages (name ->
        version), python, platform (system and machine, not the host's name), cores, threads,
        device, seed, time (UTC).
    """
    commit, dirty = _git_state(Path(__file__).resolve().parents[3] if root is None else root)
    return {
        "git_commit": commit,
        "git_dirty": dirty,
        "version": package_version(),
        "packages": dict(_package_versions()),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": threads,
        "device": device,
        "seed": seed,
        "time": utc_now(),
    }


@cache
def _package_versions() -> Mapping[str, str]:
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def _git_state(root: Path) -> tuple[str | None, bool | None]:
    """Commit and dirty flag of the checkout at `root`; (None, None) where there is none."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return None, None
    changes = _git(root, "status", "--porcelain")
    return _git(root, "rev-parse", "--verify", "HEAD"), None if changes is None else bool(changes)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # noqa: TID251
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
