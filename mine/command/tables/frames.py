"""Tables that are read whole by another library: .feather, .json, .xlsx."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mine.command.tables.arrow import column_of
from mine.command.tables.reading import Reading
from mine.command.tables.source import Column, read_each, reading
from mine.command.tables.unpacking import Packed

_JSON_BYTES = 8
"""That a byte of json may become, as Python's values."""


@dataclass(frozen=True)
class Feather:
    """A file of arrow's, of which only the wanted columns are read."""

    path: str
    names: tuple[str, ...]
    asked: Reading
    recognised: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: str, asked: Reading) -> Feather:
        import pyarrow
        from pyarrow import ipc

        with reading(path, "feather"), pyarrow.OSFile(path) as file:
            return cls(path, tuple(ipc.open_file(file).schema.names), asked)

    def read(self, names: Sequence[str], levels: Collection[str]) -> Mapping[str, Column]:
        import pyarrow
        from pyarrow import ipc

        wanted = [self.names.index(name) for name in names]
        with reading(self.path, "feather"), pyarrow.OSFile(self.path) as file:
            options = ipc.IpcReadOptions(included_fields=sorted(wanted))
            reader = ipc.open_file(file, options=options)
            batches, count = [], 0
            for i in range(reader.num_record_batches):
                batches.append(reader.get_batch(i))
                count += batches[-1].nbytes
                self.asked.check_size(repr(self.path), count)
            table = pyarrow.Table.from_batches(batches, reader.schema)
            table.validate(full=True)
        na = self.asked.na
        return read_each(names, lambda name: column_of(name, table[name], name in levels, na=na))


@dataclass(frozen=True, eq=False)
class Frame:
    """A data frame of pandas'."""

    path: str
    frame: Any
    asked: Reading
    recognised: tuple[str, ...] = ()

    @classmethod
    def of_json(cls, packed: Packed, asked: Reading) -> Frame:
        """A list of records, an object of columns, or a record a line."""
        import pandas

        with reading(packed.path, "json"):
            content = packed.read()
            asked.check_size(repr(packed.path), _JSON_BYTES * len(content))
            frame = pandas.DataFrame(_records(content), dtype=object)  # whole numbers stay whole
        return cls(packed.path, _checked(packed.path, frame), asked)

    @classmethod
    def of_excel(cls, path: str, asked: Reading) -> Frame:
        """The first sheet."""
        import pandas

        try:
            with reading(path, "xlsx"):
                frame = pandas.read_excel(path, header=None if asked.header is False else 0)
        except ValueError as error:
            if "openpyxl" not in str(error) or "install" not in str(error):
                raise
            raise ValueError(
                f"expected openpyxl to be installed for {path!r}, got none: pip install openpyxl, "
                "or save the sheet as csv"
            ) from None
        return cls(path, _checked(path, frame), replace(asked, header=None))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(str, self.frame.columns))

    def read(self, names: Sequence[str], levels: Collection[str]) -> Mapping[str, Column]:
        return read_each(names, lambda name: self._column(name, name in levels))

    def _column(self, name: str, is_level: bool) -> Column:
        import pyarrow

        values = self.frame.iloc[:, self.names.index(name)]
        try:
            column = pyarrow.chunked_array([pyarrow.array(values, from_pandas=True)])
        except (OverflowError, pyarrow.ArrowException):
            texts = [None if value is None else str(value) for value in values]
            column = pyarrow.chunked_array([pyarrow.array(texts, pyarrow.string())])
        return column_of(name, column, is_level, na=self.asked.na)


def _records(content: bytes) -> Any:
    """What stands in a file of one value, or of one a line."""
    try:
        return json.loads(content)
    except ValueError:
        lines = [line for line in content.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return [json.loads(line) for line in lines]


def _checked(path: str, frame: Any) -> Any:
    if not len(frame.columns) or not all(isinstance(name, str) for name in frame.columns):
        raise ValueError(f"expected a table of named columns, got none in {path!r}: write records")
    return frame
