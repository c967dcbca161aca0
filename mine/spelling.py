"""Names that come near a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: str, known: Iterable[str]) -> list[str]:
    """At most three names, the nearest first; upper and lower case are the same."""
    folded = {one.casefold().strip(): one for one in known}
    found = difflib.get_close_matches(name.casefold().strip(), list(folded), n=3, cutoff=0.5)
    return [folded[one] for one in found]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question for an error message; "" where no name is near."""
    found = near(name, known)
    return f"did you mean {' or '.join(map(repr, found))}?" if found else ""
