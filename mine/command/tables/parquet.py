"""Parquet, of which only the wanted columns are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mine.command.tables.arrow import values_of
from mine.command.tables.source import Values, reading


@dataclass(frozen=True)
class Parquet:
    path: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, path: str) -> Parquet:
        from pyarrow import parquet

        with reading(path, "parquet"), parquet.ParquetFile(path) as file:
            return cls(path, tuple(file.schema_arrow.names))

    def read(self, numbers: Sequence[str], categories: Sequence[str]) -> dict[str, Values]:
        from pyarrow import parquet

        wanted = [*numbers, *categories]
        with reading(self.path, "parquet"), parquet.ParquetFile(self.path) as file:
            table = file.read(columns=wanted)
            table.validate(full=True)
        return {name: values_of(name, table[name], name in numbers) for name in wanted}
