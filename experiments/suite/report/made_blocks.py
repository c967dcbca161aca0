"""Blocks of hand-written pages that are made of measured rows.

<!-- made: rows -->

(what stands here is replaced)

<!-- end of made -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from experiments.suite.report.results_source import ResultsError

MARKER = re.compile(r"^<!-- (?:made: (?P<what>[^>\n]*?)|end of made) -->$", re.MULTILINE)


def filled_blocks(page: str, text: str, made: Callable[[re.Match[str]], str]) -> str:
    """A page with its blocks made anew.

    Args:
        page: its name under docs/, for errors.
        text: the page.
        made: the marker where a block begins -> what stands in it; the group "what" is its name.

    Raises:
        ResultsError: a block has no end.
    """
    parts, place = [], 0
    for start, end in _blocks(page, text):
        parts += [text[place : start.end()], f"\n\n{made(start)}\n\n"]
        place = end.start()
    return "".join([*parts, text[place:]])


def _blocks(page: str, text: str) -> Iterator[tuple[re.Match[str], re.Match[str]]]:
    """The markers where blocks begin and end, in pairs."""
    markers = list(MARKER.finditer(text))
    for start, end in zip(markers[::2], [*markers[1::2], None], strict=False):
        if start["what"] is None or end is None or end["what"] is not None:
            raise ResultsError(
                f"expected each '<!-- made: ... -->' to have one '<!-- end of made -->' after it, "
                f"got {start[0]!r} at docs/{page}:{line_of(start)}: mend the page"
            )
        yield start, end


def line_of(marker: re.Match[str]) -> int:
    """Where it stands, from 1."""
    return marker.string.count("\n", 0, marker.start()) + 1
