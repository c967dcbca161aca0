"""Text: its encoding and dialect are recognised, and pyarrow reads it."""

from __future__ import annotations

import io
import itertools
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mine.command.tables.arrow import column_of
from mine.command.tables.decoding import SHOWN, decoded, encoding_of
from mine.command.tables.dialect import Dialect, dialect_of
from mine.command.tables.lines import BLANKS, close_quotes
from mine.command.tables.numbers import MARKS, NOTHING, WORDS
from mine.command.tables.reading import Reading
from mine.command.tables.rows import NO_ROW, check_rows, lines_if_quoted
from mine.command.tables.source import EXACT, Column, read_each, reading
from mine.command.tables.unpacking import Packed

_HEAD_BYTES = 1 << 20
"""Looked at before the table is parsed; more where it has fewer lines than `_HEAD_LINES`."""
_BLOCK = 1 << 20
_LETTER_BYTES = 4
_NUMBER_BYTES = 8
_HEAD_LINES = 10
_MOST_HEAD_BYTES = 1 << 26


@dataclass(frozen=True)
class Text:
    """A table of text.

    Attributes:
        packed: where its bytes are.
        asked: what the user says of it.
        encoding: of the bytes.
        dialect: how it is written.
        block: how many bytes arrow reads at once: as many as it likes, and no less than a line.
        line_end: what ends a line; "\\n" for that with or without "\\r" before it, "\\r" for that
            alone, as old Macs write it.
    """

    packed: Packed
    asked: Reading
    encoding: str
    dialect: Dialect
    block: int
    line_end: str = "\n"

    @classmethod
    def of(cls, packed: Packed, usual: str, asked: Reading) -> Text:
        """Raises ValueError for what is no table of text.

        Args:
            packed: where its bytes are.
            usual: the delimiter that its name promises.
            asked: what the user says of it.
        """
        path = packed.path
        with reading(path, "text"), packed.raw() as stream:
            head, whole = _head(stream)
        encoding = asked.encoding or encoding_of(head, whole, path)
        with reading(path, f"text ({encoding})"):
            text = decoded(head, encoding, whole)
        line_end = "\r" if "\r" in text and "\n" not in text else "\n"
        text = text.replace(line_end, "\n")
        if not whole and "\n" in text:
            text = text[: text.rindex("\n") + 1]
        if not text.strip("\r\n"):
            raise ValueError(f"expected a header line and rows, got nothing in {path!r}")
        dialect = dialect_of(text, usual, asked, path)
        lines = text.split("\n")
        above = sum(map(len, lines[: dialect.start]))
        longest = max(max(map(len, lines)), above)
        block = max(_BLOCK, _LETTER_BYTES * longest)
        return cls(packed, asked, encoding, dialect, block, line_end)

    @property
    def names(self) -> tuple[str, ...]:
        return self.dialect.names

    @property
    def recognised(self) -> tuple[str, ...]:
        packed, shown = self.packed.kind, SHOWN.get(self.encoding.removesuffix("-le"), "")
        found = [packed] if packed and not self.packed.path.endswith(_ENDINGS[packed]) else []
        found += [shown or self.encoding.upper()] * (
            self.encoding != "utf-8" and not self.asked.encoding
        )
        return *found, *self.dialect.recognised

    def read(self, names: Sequence[str], levels: Collection[str]) -> Mapping[str, Column]:
        import pyarrow

        if self.packed.kind:
            lines = (self.packed.content or b"").count(b"\n")
            self.asked.check_size(repr(self.packed.path), lines * len(names) * _NUMBER_BYTES)
        numeric = dict(zip(self.names, self.dialect.numeric, strict=False))
        texts = [name for name in names if name in levels or not numeric.get(name, True)]
        kinds = {name: pyarrow.string() if name in texts else pyarrow.float64() for name in names}
        try:
            table = self._table(kinds, () if texts else MARKS)
        except pyarrow.ArrowInvalid as error:  # more is a number than arrow reads as one
            if "columns, got" in str(error):
                self._check_rows()
            with reading(self.packed.path, f"text ({self.encoding})"):
                table = self._texts(names)
        if long := [name for name in names if _is_long(table[name])]:
            again = self._texts(long)
            for name in long:
                table = table.set_column(names.index(name), name, again[name])
        decimal = self.asked.decimal or ("," if self.dialect.decimal == "," else None)
        return read_each(
            names,
            lambda name: column_of(name, table[name], name in levels, decimal, self.asked.na),
        )

    def _texts(self, names: Sequence[str]) -> Any:
        import pyarrow

        try:
            return self._table(dict.fromkeys(names, pyarrow.string()), ())
        except pyarrow.ArrowInvalid as error:
            if "UTF8" not in str(error):
                raise
            raise ValueError(
                f"expected text in UTF-8, got other letters in {self.packed.path!r} ({error}): "
                "give --encoding latin-1, or the one that it has"
            ) from None

    def _table(self, kinds: Mapping[str, Any], marks: Sequence[str]) -> Any:
        """The columns of these types, null where a value is missing."""
        import pyarrow
        from pyarrow import csv

        dialect = self.dialect
        if not dialect.rows:
            return pyarrow.table({name: pyarrow.array([], kind) for name, kind in kinds.items()})
        converting = csv.ConvertOptions(
            include_columns=list(kinds),
            column_types=dict(kinds),
            strings_can_be_null=True,
            null_values=[*NOTHING, *WORDS, *marks, *self.asked.na],
            decimal_point=dialect.decimal,
        )
        parsing = csv.ParseOptions(
            delimiter=dialect.delimiter,
            newlines_in_values=True,
            invalid_row_handler=lambda row: "error" if row.text.strip(NO_ROW) else "skip",
        )
        opening = csv.ReadOptions(
            column_names=list(dialect.names), skip_rows=self._above, block_size=self.block
        )
        with self._stream() as stream:
            lines = lines_if_quoted(stream) - self._above
            table = csv.read_csv(stream, opening, parsing, converting)
        if lines > table.num_rows:
            self._check_rows()
        return table

    def _check_rows(self) -> None:
        with self._stream() as stream:
            text = io.TextIOWrapper(stream, "utf-8", "replace")
            check_rows(itertools.islice(text, self._above, None), self.dialect)

    @property
    def _above(self) -> int:
        """How many lines of the stream stand above the rows."""
        return 0 if self._is_odd() else self.dialect.start

    def _stream(self) -> Any:
        """What arrow reads."""
        return self._rewritten() if self._is_odd() else self.packed.stream()

    def _is_odd(self) -> bool:
        """Whether it is written in a way that arrow does not read by itself."""
        return bool(
            self.encoding != "utf-8"
            or self.line_end != "\n"
            or self.dialect.comment
            or self.dialect.delimiter == BLANKS
            or self.dialect.has_loose_quotes
        )

    def _rewritten(self) -> Any:
        """The rows alone, in UTF-8, without comments and with one blank between columns."""
        import pyarrow

        text = decoded(self.packed.read(), self.encoding, True)
        lines = text.split(self.line_end)[self.dialect.start :]
        if mark := self.dialect.comment:
            lines = [
                line for line in lines if not (line.startswith(mark) and self._is_no_row(line))
            ]
        if self.dialect.delimiter == BLANKS:
            lines = [re.sub(r"[ \t]+", BLANKS, line.strip(" \t\r")) for line in lines]
        if self.dialect.has_loose_quotes:
            lines = [close_quotes(line, self.dialect.delimiter) for line in lines]
        return pyarrow.BufferReader("\n".join(lines).encode())

    def _is_no_row(self, line: str) -> bool:
        """Whether a line that begins as a comment is one; a row may begin so: #ff0000."""
        cells = line.count(self.dialect.delimiter) + 1
        return self.asked.comment is not None or cells != len(self.names)


def _is_long(column: Any) -> bool:
    """Whether it has numbers of so many digits that arrow may have rounded them."""
    import pyarrow
    from pyarrow import compute

    if not pyarrow.types.is_floating(column.type):
        return False
    ends = compute.min_max(column).as_py().values()
    return any(end is not None and EXACT <= abs(end) < math.inf for end in ends)


_ENDINGS = {
    "gzip": (".gz", ".tgz"), "bz2": (".bz2",), "xz": (".xz",), "zstd": (".zst", ".zstd"),
    "zip": (".zip",),
}  # fmt: skip


def _head(stream: Any) -> tuple[bytes, bool]:
    """The first bytes, and whether these are all."""
    head = bytes(stream.read(_HEAD_BYTES))
    size = _HEAD_BYTES
    while len(head) == size and size < _MOST_HEAD_BYTES and head.count(b"\n") < _HEAD_LINES:
        head += bytes(stream.read(size))
        size *= 2
    return head, len(head) < size
