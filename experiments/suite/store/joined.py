"""Many runs read together: which can be read, and their rows as one table."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.suite.store.checked_tables import CorruptRunError
from experiments.suite.store.holder import Holder, read
from experiments.suite.store.runs import Run, run_folders
from experiments.suite.store.tables import ROW_COLUMNS, arrow_schema, curve_frame, row_frame

if TYPE_CHECKING:
    import pyarrow as pa
    from pandas import DataFrame

JOINED_AT_ONCE = 200
"""Runs whose rows are held in memory together while all runs are joined."""


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


@dataclass(frozen=True)
class Begun:
    """A run at which a live process works, and which has not all of its files yet."""

    said: str


def scan_runs(outputs: Path) -> Iterator[tuple[Run, pa.Table | Begun | CorruptRunError]]:
    """Every run folder, sorted, with its rows or with why there are none."""
    for folder in run_folders(outputs):
        run = Run(folder)
        found: pa.Table | Begun | CorruptRunError
        try:
            found = run.check()
        except CorruptRunError as error:
            holder = read(folder / "lock.json")
            alive = error.missing and holder is not None and holder.state() != "dead"
            found = _begun(run, holder) if alive and holder else error
        yield run, found


def _begun(run: Run, holder: Holder) -> Begun:
    return Begun(
        f"{run.experiment} {run.run_id} has only begun: {holder.named} works on it, and there is "
        "nothing to read yet"
    )


def load_runs(outputs: Path) -> tuple[list[Run], list[str]]:
    """The runs under `outputs`, sorted, and what is wrong with those that cannot be read.

    Unfinished runs are among them: their status says so. A run that has only begun is left out. A
    folder whose config, provenance, status or table is missing or broken is left out too, and one
    line among the problems names it.
    """
    runs, problems = [], []
    for run, found in scan_runs(outputs):
        if isinstance(found, CorruptRunError):
            problems.append(str(found))
        elif not isinstance(found, Begun):
            runs.append(run)
    return runs, problems


@dataclass(frozen=True)
class Joined:
    """Runs, what is wrong with the others, which have only begun, and all rows as parquet."""

    runs: list[Run]
    problems: list[str]
    begun: list[str]
    rows: int
    parquet: bytes

    def frame(self, columns: Sequence[str]) -> DataFrame:
        """These columns of all rows; text as categories, which take little memory."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        text = [name for name in columns if ROW_COLUMNS[name] == "str"]
        file = pq.ParquetFile(pa.BufferReader(self.parquet), read_dictionary=text)
        return file.read(columns=list(columns)).to_pandas()


def join_runs(outputs: Path, columns: Sequence[str]) -> Joined:
    """As `load_runs`, with the rows of all runs joined and `columns` in this order.

    Each file is read once. Memory holds the rows of `JOINED_AT_ONCE` runs at a time, and the
    compressed parquet file of all.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    runs: list[Run] = []
    problems: list[str] = []
    begun: list[str] = []
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
            if isinstance(found, Begun):
                begun.append(found.said)
                continue
            runs.append(run)
            waiting.append(found)
            rows += len(found)
            if len(waiting) == JOINED_AT_ONCE:
                flush()
        flush()
    return Joined(runs, problems, begun, rows, buffer.getvalue())
