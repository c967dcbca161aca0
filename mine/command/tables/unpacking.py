"""Bytes of a file or of stdin, unpacked. Compression is recognised by content, never by name."""

from __future__ import annotations

import io
import lzma
import zipfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from mine.command.tables.reading import Reading

STDIN = "-"
MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}
"""First bytes -> kind of compression."""


@dataclass(frozen=True)
class Packed:
    """A file, or bytes, as they were found; compressed ones are unpacked.

    Attributes:
        path: of the file, or a name for errors.
        content: the bytes; None where they are in the file as it is.
        kind: of the compression; "" for none.
        member: the name of the file in a zip archive.
    """

    path: str
    content: bytearray | bytes | None
    kind: str = ""
    member: str = ""

    @classmethod
    def of(cls, path: str, content: bytes | None, asked: Reading) -> Packed:
        bare = cls(path, content)
        with bare.raw() as file:
            start = file.read(8)
        kind = next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), "")
        if not kind:
            return bare
        with ExitStack() as opened:
            file = opened.enter_context(bare.raw())
            stream, member = _unpacking(path, kind, file)
            unpacked = _all_of(opened.enter_context(closing(stream)), path, asked)
        return cls(path, unpacked, kind, member)

    def raw(self) -> BinaryIO:
        return open(self.path, "rb") if self.content is None else io.BytesIO(self.content)

    def stream(self) -> Any:
        """As pyarrow reads it: no part of Python's runs in its threads."""
        import pyarrow

        if self.content is None:
            return pyarrow.OSFile(self.path)
        return pyarrow.BufferReader(pyarrow.py_buffer(self.content))

    def read(self) -> bytes:
        """All of it."""
        with self.raw() as file:
            return file.read()


def opened(path: str, stdin: Callable[[], BinaryIO], asked: Reading) -> Packed:
    """A file, or all of stdin."""
    if path != STDIN:
        return Packed.of(path, None, asked)
    return Packed.of("stdin", bytes(_all_of(stdin(), "stdin", None)), asked)


def _all_of(stream: BinaryIO, path: str, asked: Reading | None) -> bytearray:
    """All of a stream, or no more of it than it may be.

    It is read piece by piece: one `read()` would let a Ctrl-C wait until the stream ends.
    """
    read, found = getattr(stream, "read1", stream.read), bytearray()
    for piece in iter(lambda: read(1 << 20), b""):
        found += piece
        if asked is not None:
            asked.check_size(repr(path), len(found))
    return found


def _unpacking(path: str, kind: str, file: BinaryIO) -> tuple[BinaryIO, str]:
    """What unpacks a file, and the name of the file in it, where it has one."""
    import pyarrow

    if kind == "xz":
        return cast(BinaryIO, lzma.LZMAFile(file)), ""
    if kind == "zip":
        archive = zipfile.ZipFile(file)
        member = _only_member(path, archive)
        return cast(BinaryIO, archive.open(member)), member
    source = pyarrow.BufferReader(file.getvalue()) if isinstance(file, io.BytesIO) else None
    stream = pyarrow.CompressedInputStream(source or pyarrow.OSFile(path), kind)
    return cast(BinaryIO, stream), ""


def _only_member(path: str, archive: zipfile.ZipFile) -> str:
    """The one file of a zip archive."""
    files = [
        info.filename
        for info in archive.infolist()
        if not (info.is_dir() or info.filename.startswith("__MACOSX/"))
    ]
    if len(files) != 1:
        shown = ", ".join(repr(name) for name in files[:4]) + (" ..." if len(files) > 4 else "")
        raise ValueError(
            f"expected one file in {path!r}, got {len(files)} ({shown}): unpack it, and name one"
        )
    return files[0]
