"""Text with a header line, read by pyarrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mine.command.tables.arrow import values_of
from mine.command.tables.source import Values, reading

_HEAD_BYTES = 1 << 20
"""Looked at before the table is parsed."""


@dataclass(frozen=True)
class Text:
    """Text with a header line.

    Attributes:
        path: of the file, or a name for errors where `content` is given.
        content: the text, where it is not in a file.
        delimiter: between columns.
        names: of the columns.
    """

    path: str
    content: bytes | None
    delimiter: str
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: str, content: bytes | None, delimiter: str) -> Text:
        """Raises ValueError for what is no text with a header line."""
        table = cls(path, content, delimiter)
        _check_head(path, table._head())
        return replace(table, names=table._header())

    def read(self, numbers: Sequence[str], categories: Sequence[str]) -> dict[str, Values]:
        import pyarrow

        texts = dict.fromkeys((*numbers, *categories), pyarrow.string())
        try:
            table = self._table(texts | dict.fromkeys(numbers, pyarrow.float64()))
        except pyarrow.ArrowInvalid:  # Python reads more numbers, and says which row has none
            with reading(self.path, "text"):
                table = self._table(texts)
        names = table.schema.names
        return {name: values_of(name, table[name], name in numbers) for name in names}

    def _stream(self) -> Any:
        import pyarrow

        if self.content is not None:
            return pyarrow.BufferReader(self.content)
        return pyarrow.input_stream(self.path, compression="detect")

    def _head(self) -> str:
        with reading(self.path, "text (UTF-8)"), self._stream() as stream:
            head = stream.read(_HEAD_BYTES)
            # The end of a longer file's head may cut a character in two.
            return head.decode("utf-8-sig", "strict" if len(head) < _HEAD_BYTES else "ignore")

    def _header(self) -> tuple[str, ...]:
        from pyarrow import csv

        with (
            reading(self.path, "text"),
            self._stream() as stream,
            csv.open_csv(stream, parse_options=self._parsing()) as reader,
        ):
            return tuple(reader.schema.names)

    def _table(self, types: Mapping[str, Any]) -> Any:
        from pyarrow import csv

        converting = csv.ConvertOptions(
            include_columns=list(types), column_types=types, strings_can_be_null=True
        )
        with self._stream() as stream:
            return csv.read_csv(stream, parse_options=self._parsing(), convert_options=converting)

    def _parsing(self) -> Any:
        from pyarrow import csv

        return csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True)


def _check_head(path: str, head: str) -> None:
    if "\0" in head:
        raise ValueError(
            f"expected text with a header line, got {path!r} with zero bytes in it, a binary "
            "file: rename it by what it holds, or export it as csv"
        )
    if not head.strip("\r\n"):
        raise ValueError(f"expected a header line and rows, got nothing in {path!r}")
