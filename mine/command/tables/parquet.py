"""Parquet, of which only the wanted columns are read."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mine.command.tables.arrow import column_of
from mine.command.tables.reading import Reading
from mine.command.tables.source import Column, read_each, reading

_NUMBER_BYTES = 8


@dataclass(frozen=True)
class Parquet:
    path: str
    names: tuple[str, ...]
    asked: Reading
    recognised: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: str, asked: Reading) -> Parquet:
        from pyarrow import parquet

        with reading(path, "parquet"), parquet.ParquetFile(path) as file:
            return cls(path, tuple(file.schema_arrow.names), asked)

    def read(self, names: Sequence[str], levels: Collection[str]) -> Mapping[str, Column]:
        from pyarrow import parquet

        with reading(self.path, "parquet"), parquet.ParquetFile(self.path) as file:
            self._check_size(file.metadata, names)
            table = file.read(columns=list(names))
            table.validate(full=True)
            coded = _dictionaries(file.metadata.metadata or {})

        def read(name: str) -> Column:
            column = table[name].dictionary_encode() if name in coded else table[name]
            return column_of(name, column, name in levels, na=self.asked.na)

        return read_each(names, read)

    def _check_size(self, metadata: Any, names: Sequence[str]) -> None:
        """By what the file says of itself, before anything is unpacked."""
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        rows = sum(group.num_rows for group in groups)
        said = sum(
            column.total_uncompressed_size
            for group in groups
            for column in map(group.column, range(group.num_columns))
            if column.path_in_schema.split(".")[0] in names
        )
        self.asked.check_size(repr(self.path), max(said, rows * len(names) * _NUMBER_BYTES))


def _dictionaries(metadata: Mapping[bytes, bytes]) -> set[str]:
    """The columns that were dictionaries when they were written.

    Parquet keeps only those of text so; arrow notes the others beside, pandas' categories of
    numbers among them.
    """
    import pyarrow
    from pyarrow import ipc

    noted = metadata.get(b"ARROW:schema")
    if noted is None:
        return set()
    schema = ipc.read_schema(pyarrow.py_buffer(base64.b64decode(noted)))
    return {one.name for one in schema if isinstance(one.type, pyarrow.DictionaryType)}
