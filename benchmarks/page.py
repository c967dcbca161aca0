"""Blocks of hand-written pages that are made of a benchmark's rows: see
`experiments.suite.report.made_blocks`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.resuming import Row, read_rows
from experiments.suite.report.made_blocks import filled_blocks
from experiments.suite.store.files import write_atomic


def with_parts(page: str, parts: Mapping[str, str]) -> str:
    """The page with its blocks, which have these names, made anew.

    Raises:
        ValueError: the page has other blocks, or one of them twice.
    """
    found: list[str] = []

    def made(marker: re.Match[str]) -> str:
        found.append(marker["what"])
        return parts.get(marker["what"], "")

    filled = filled_blocks("a page of a benchmark", page, made)
    if sorted(found) != sorted(parts):
        raise ValueError(f"expected the blocks {sorted(parts)} once each, got {found}: write them")
    return filled


def rewrite(
    arguments: Sequence[str],
    fields: Sequence[str],
    page: Callable[[str, Sequence[Row]], str],
) -> None:
    """Makes a page's parts anew.

    Args:
        arguments: the file of the rows, and the page.
        fields: the rows' columns.
        page: the page as it was and the rows -> the page.
    """
    file, docs = map(Path, arguments)
    made = page(docs.read_text(encoding="utf-8"), list(read_rows(file, fields)))
    write_atomic(docs, made.encode())


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; the first column is text, the others are numbers."""
    line = "|" + "|".join([" --- ", *(" ---: " for _ in head[1:])]) + "|"
    return "\n".join(
        ["| " + " | ".join(head) + " |", line, *("| " + " | ".join(row) + " |" for row in rows)]
    )
