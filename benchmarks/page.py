"""Parts of hand-written pages that are made of measured rows.

<!-- made: rows -->

(what stands here is replaced)

<!-- end of made -->
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence


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


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; the first column is text, the others are numbers."""
    line = "|" + "|".join([" --- ", *(" ---: " for _ in head[1:])]) + "|"
    return "\n".join(
        ["| " + " | ".join(head) + " |", line, *("| " + " | ".join(row) + " |" for row in rows)]
    )
