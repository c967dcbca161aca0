"""The table of a path, by the path's ending; what compressed it is recognised by content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from mine.command.tables.arrays import Arrays
from mine.command.tables.frames import Feather, Frame
from mine.command.tables.parquet import Parquet
from mine.command.tables.reading import Reading
from mine.command.tables.source import Source, reading
from mine.command.tables.text import Text
from mine.command.tables.unpacking import STDIN, opened
from mine.spelling import did_you_mean

DELIMITERS: Mapping[str, str] = {".csv": ",", ".txt": ",", ".tsv": "\t", ".data": ",", ".dat": " "}
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
BINARY: Mapping[str, Callable[[str, Reading], Source]] = {
    ".parquet": Parquet.of,
    ".pq": Parquet.of,
    ".feather": Feather.of,
    ".arrow": Feather.of,
    ".npy": Arrays.of_npy,
    ".npz": Arrays.of_npz,
    ".xlsx": Frame.of_excel,
}
JSON = (".json", ".jsonl", ".ndjson")
_SHOWN = 6
"""Files of a folder in an error."""


def open_table(path: str, stdin: Callable[[], BinaryIO], asked: Reading | None = None) -> Source:
    """The table of a file, or of text on stdin.

    Raises:
        ValueError: there is no such file, or it holds no such table.
    """
    asked = asked or Reading()
    if path != STDIN:
        _check_file(path)
    ending = Path(path).suffix.lower()
    if ending in BINARY:
        if ending != ".xlsx" or asked.header is None:
            asked.check_unused(path)
        return BINARY[ending](path, asked)
    with reading(path, "text"):
        packed = opened(path, stdin, asked)
    inner = Path(packed.member or _unpacked(path)).suffix.lower()
    if inner in JSON:
        asked.check_unused(path)
        return Frame.of_json(packed, asked)
    if path == STDIN or inner in DELIMITERS:
        return Text.of(packed, DELIMITERS.get(inner, ","), asked)
    known = " ".join((*DELIMITERS, *JSON, *BINARY))
    raise ValueError(
        f"expected one of {known} (text and json also as {' '.join(PACKED)}), got {path!r}: "
        "rename it by what it holds, or convert it"
    )


def _unpacked(path: str) -> str:
    """The path without the ending of a compressed file: t.csv of t.csv.gz."""
    ending = Path(path).suffix
    return path.removesuffix(ending) if ending.lower() in PACKED else path


def _check_file(path: str) -> None:
    file = Path(path)
    if file.is_dir():
        inside = sorted(one.name for one in file.iterdir() if one.is_file())
        shown = ", ".join(inside[:_SHOWN]) + ", ..." * (len(inside) > _SHOWN) or "no file"
        raise ValueError(
            f"expected a file, got the folder {path!r}: name a table in it (it has {shown})"
        )
    if not file.is_file():
        beside = file.parent.iterdir() if file.parent.is_dir() else ()
        near = did_you_mean(file.name, [other.name for other in beside])
        raise ValueError(f"expected a file, got {path!r}, which is none: {near or 'give a path'}")
    if file.stat().st_size == 0:
        raise ValueError(f"expected a table, got the empty file {path!r}: write it anew")
