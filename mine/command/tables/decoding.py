"""The encoding of text, recognised by its first bytes."""

from __future__ import annotations

import codecs

BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order mark -> encoding."""
SHOWN = {
    "utf-16": "UTF-16",
    "utf-32": "UTF-32",
    "latin-1": "Latin-1",
    "cp1252": "Latin-1 (Windows)",
}
_CONTROLS = bytes(b for b in range(32) if b not in b"\t\n\v\f\r\x1a\x1b")
_OFTEN = 0.3
"""Share of zero bytes at odd or at even places that makes UTF-16."""


def encoding_of(head: bytes, whole: bool, path: str) -> str:
    """The encoding of text, by its first bytes.

    Args:
        head: the first bytes.
        whole: whether these are all.
        path: for errors.

    Raises:
        ValueError: it is no text.
    """
    for mark, name in BOMS.items():
        if head.startswith(mark):
            return name
    if b"\0" in head:
        return _wide(head, path)
    if decodes(head, "utf-8", whole):
        return "utf-8"
    if sum(head.count(byte) for byte in _CONTROLS) > len(head) // 1000:
        raise ValueError(_binary(path, "control codes"))
    return "cp1252" if decodes(head, "cp1252", whole) else "latin-1"


def decodes(head: bytes, encoding: str, whole: bool) -> bool:
    try:
        decoded(head, encoding, whole)
    except UnicodeDecodeError:
        return False
    return True


def decoded(head: bytes, encoding: str, whole: bool) -> str:
    """Text without a byte order mark. The end of what is not whole may cut a letter in two."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    return decoder.decode(head, final=whole).removeprefix("\ufeff")


def _wide(head: bytes, path: str) -> str:
    """UTF-16 without a mark: every other byte of most letters is 0."""
    even, odd = (part.count(0) / max(len(part), 1) for part in (head[::2], head[1::2]))
    if odd > _OFTEN and not even:
        return "utf-16-le"
    if even > _OFTEN and not odd:
        return "utf-16-be"
    raise ValueError(_binary(path, "zero bytes"))


def _binary(path: str, what: str) -> str:
    return (
        f"expected text, got {path!r} with {what} in it, a binary file: rename it by what it "
        "holds, or export it as csv"
    )
