"""The tables of a run, rows and training curves: their columns, their types, and the checks.

Rows are the interface between computing and drawing. Their types are declared here, once.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from pandas import DataFrame

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
    "measures": "str",
    "commit": "str",
    "code": "str",
    "arithmetic": "str",
}
"""Column -> dtype of the rows, in the order in which they are written.

The last three are the row's origin: the commit of the checkout, with a + where it had changes; the
hash of the sources that made it (see `code`); and what computes sums and products. They are "" in
rows of older folders.
"""

OPTIONAL = frozenset({"measures", "commit", "code", "arithmetic"})
"""Columns that a file lacks where all their values are ""; a table in memory always has them."""

CURVE_COLUMNS: Mapping[str, str] = {"key": "str", "step": "int64", "train_nats": "float64"}
"""Column -> dtype of the training curves: a smoothed training value (nats) of a cell at a step."""

_PLAIN = {"int64": int, "float64": float}
"""Dtype -> the Python type whose values need no conversion."""
_MISSING: Mapping[str, Any] = {"str": "", "int64": 0, "float64": float("nan")}
_MISSING_IN: Mapping[str, Any] = {"step_diverged": -1}
_REQUIRED = frozenset({"key", "status"})


def row_frame(rows: Iterable[Mapping[str, Any]]) -> DataFrame:
    """A typed table of rows, with the columns of `ROW_COLUMNS`.

    A column that a row lacks (or has as None) is filled: "" for text, nan for floats, 0 for whole
    numbers and -1 for `step_diverged`.

    Raises:
        ValueError: an unknown column, a value of another type, a row without key or status.
    """
    return _typed(list(rows), ROW_COLUMNS, required=_REQUIRED)


def curve_frame(points: Iterable[Mapping[str, Any]]) -> DataFrame:
    """A typed table of curve points, with the columns of `CURVE_COLUMNS`; all are required."""
    return _typed(list(points), CURVE_COLUMNS, required=frozenset(CURVE_COLUMNS))


def arrow_schema(columns: Mapping[str, str]) -> pa.Schema:
    """Column -> dtype as arrow's schema, without metadata."""
    import pyarrow as pa

    types = {"str": pa.large_string(), "int64": pa.int64(), "float64": pa.float64()}
    return pa.schema([(name, types[dtype]) for name, dtype in columns.items()])


def conform(frame: DataFrame, columns: Mapping[str, str]) -> DataFrame:
    """`frame` with exactly these columns, in this order and with these dtypes.

    Columns of `OPTIONAL` that it lacks are filled with "".

    Raises:
        ValueError: a column is missing, or there is one too many, or one holds another type.
    """
    frame = frame.assign(**dict.fromkeys(OPTIONAL & set(columns) - set(frame.columns), ""))
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


def conform_table(table: pa.Table, columns: Mapping[str, str]) -> pa.Table:
    """As `conform`, for an arrow table; one that already conforms is returned as it came."""
    import pyarrow as pa

    schema = arrow_schema(columns)
    for name in [name for name in columns if name in OPTIONAL - set(table.column_names)]:
        table = table.append_column(
            schema.field(name), pa.array([""] * len(table), pa.large_string())
        )
    if set(table.column_names) == set(columns):
        table = table.select(list(columns))
    if table.schema.equals(schema) and _complete(table):
        return table
    frame = conform(table.to_pandas(), columns)
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)


def without_empty(frame: DataFrame) -> DataFrame:
    """`frame` as a file has it: without columns of `OPTIONAL` whose values are all ""."""
    return frame.drop(columns=[n for n in OPTIONAL & set(frame) if not frame[n].any()])


def _complete(table: pa.Table) -> bool:
    """Whether no text or whole number is missing, and every status is a known one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if any(c.null_count for c in table.columns if not pa.types.is_floating(c.type)):
        return False
    found = table["status"] if "status" in table.column_names else None
    return found is None or set(pc.unique(found).to_pylist()) <= set(ROW_STATUSES)


def _typed(
    records: Sequence[Mapping[str, Any]], columns: Mapping[str, str], required: frozenset[str]
) -> DataFrame:
    import pyarrow as pa

    _check_names(records, columns, required)
    values = {
        name: _cast_all(name, dtype, [record.get(name) for record in records])
        for name, dtype in columns.items()
    }
    # Arrow makes such a table in less than half the time that pandas takes, column by column.
    frame = pa.table(values, schema=arrow_schema(columns)).to_pandas()
    _check_statuses(frame)
    return frame


def _check_names(
    records: Sequence[Mapping[str, Any]], columns: Mapping[str, str], required: frozenset[str]
) -> None:
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
