"""Tables as the bytes of parquet and CSV files: equal tables give equal bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from pandas import DataFrame

ROWS_AT_ONCE = 10_000
"""Rows that `parquet_to_csv` holds as Python texts at one time."""
MOST_UNPACKED = 1 << 29
MOST_ROWS = 5_000_000
MOST_COLUMNS = 100
"""Bytes, rows and columns that no table of a run has in memory."""
_TOO_LARGE = (
    f"a table of more than {MOST_UNPACKED >> 20} MiB, {MOST_ROWS:,} rows or {MOST_COLUMNS} columns"
)


def parquet_bytes(frame: DataFrame) -> bytes:
    """`frame` as parquet, without pandas's metadata, which differs where the tables are equal."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def read_parquet(data: bytes) -> pa.Table:
    """A parquet file as a table of at most `MOST_UNPACKED` bytes.

    Raises:
        ValueError: it unpacks to more.
        pyarrow.ArrowException: it is no parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    # read_table sets up a dataset for each file, which takes longer than reading it.
    file = pq.ParquetFile(pa.BufferReader(data))
    about = file.metadata
    groups = [about.row_group(i) for i in range(about.num_row_groups)]
    packed = sum(group.total_byte_size for group in groups)
    if packed > MOST_UNPACKED or about.num_rows > MOST_ROWS or about.num_columns > MOST_COLUMNS:
        raise ValueError(_TOO_LARGE)
    # No value is longer than its column is unpacked, but one value may stand in many rows.
    if about.num_rows * packed <= MOST_UNPACKED:
        return file.read(use_threads=False)
    found, size, at_once = [], 0, max(1, min(ROWS_AT_ONCE, (MOST_UNPACKED >> 3) // max(1, packed)))
    for batch in file.iter_batches(at_once, use_threads=False):
        size += batch.nbytes
        if size > MOST_UNPACKED:
            raise ValueError(_TOO_LARGE)
        found.append(batch)
    return pa.Table.from_batches(found, file.schema_arrow)


def csv_bytes(frame: DataFrame) -> bytes:
    """`frame` as CSV. A number's digits give back the same double; nan is ``nan``.

    A carriage return would end a reader's line: it is written as a backslash and an r.
    """
    form: Any = {"index": False, "na_rep": "nan", "lineterminator": "\n"}
    text: str = frame.to_csv(**form)
    if "\r" in text:
        columns = frame.select_dtypes("str").columns
        frame = frame.assign(**{n: frame[n].str.replace("\r", "\\r") for n in columns})
        text = frame.to_csv(**form)
    return text.encode()


def parquet_to_csv(data: bytes) -> Iterator[bytes]:
    """A parquet file as CSV, in pieces; a reader finds the same values as in `csv_bytes`.

    The digits of floats are arrow's (1e-5 where pandas writes 1e-05).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(data))
    yield f"{','.join(file.schema_arrow.names)}\n".encode()
    for batch in file.iter_batches(ROWS_AT_ONCE):
        piece = io.StringIO()
        columns = [_csv_values(column) for column in batch.columns]
        csv.writer(piece, lineterminator="\n").writerows(zip(*columns, strict=True))
        yield piece.getvalue().encode()


def _csv_values(column: pa.Array) -> list[Any]:
    """A column's values for a CSV writer, floats as text and without carriage returns."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(column.type):
        return pc.fill_null(column.cast(pa.large_string()), "nan").to_pylist()
    if pa.types.is_large_string(column.type):
        column = pc.replace_substring(column, "\r", "\\r")
    return column.to_pylist()
