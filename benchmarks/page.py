"""Parts of hand-written pages that are made of measured rows.

<!-- made: rows -->

(what stands here is replaced)

<!-- end of made -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.resuming import Row, read_rows
from experiments.suite.store.files import write_atomic


def with_parts(page: str, parts: Mapping[str, str]) -> str:
    """The page with the parts of these names made anew.

    Raises:
        ValueError: the page lacks one.
    """
    for name, text in parts.items():
        begin, end = f"<!-- made: {name} -->", "<!-- end of made -->"
        part = re.compile(f"^{re.escape(begin)}$.*?^{re.escape(end)}$", re.MULTILINE | re.DOTALL)
        found = part.findall(page)
        if len(found) != 1:
            raise ValueError(
                f"expected one part {begin!r} with an end in the page, got {len(found)}: write it"
            )
        page = page.replace(found[0], f"{begin}\n\n{text}\n\n{end}")
    return page


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
