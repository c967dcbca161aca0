"""The table of a path, by the path's ending."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from mine.command.spelling import did_you_mean
from mine.command.tables.arrays import Arrays
from mine.command.tables.parquet import Parquet
from mine.command.tables.source import Source
from mine.command.tables.text import Text

STDIN = "-"

DELIMITERS: Mapping[str, str] = {".csv": ",", ".txt": ",", ".tsv": "\t"}
BINARY: Mapping[str, Callable[[str], Source]] = {
    ".parquet": Parquet.of,
    ".pq": Parquet.of,
    ".npy": Arrays.of_npy,
    ".npz": Arrays.of_npz,
}


def open_table(path: str, stdin: Callable[[], BinaryIO]) -> Source:
    """The table of a file, or of csv on stdin.

    Raises:
        ValueError: there is no such file, or it holds no such table.
    """
    if path == STDIN:
        return Text.of("stdin", _all_of(stdin()), ",")
    _check_file(path)
    delimiter = DELIMITERS.get(Path(path.removesuffix(".gz")).suffix.lower())
    if delimiter:
        return Text.of(path, None, delimiter)
    ending = Path(path).suffix.lower()
    if ending not in BINARY:
        raise ValueError(
            f"expected one of {' '.join((*DELIMITERS, *BINARY))} (text also as .gz), got "
            f"{path!r}: rename it by what it holds, or convert it"
        )
    return BINARY[ending](path)


def _check_file(path: str) -> None:
    file = Path(path)
    if not file.is_file():
        beside = file.parent.iterdir() if file.parent.is_dir() else ()
        near = did_you_mean(file.name, [other.name for other in beside])
        raise ValueError(f"expected a file, got {path!r}, which is none: {near or 'give a path'}")
    if file.stat().st_size == 0:
        raise ValueError(f"expected a table, got the empty file {path!r}: write it anew")


def _all_of(stream: BinaryIO) -> bytes:
    """Read piece by piece: one `read()` would let a Ctrl-C wait until the stream ends."""
    read = getattr(stream, "read1", stream.read)
    return b"".join(iter(lambda: read(1 << 20), b""))
