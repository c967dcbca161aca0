"""What every format gives: columns by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from numpy.typing import NDArray

Values = NDArray[Any]
"""(n,): float64 with nan where a number is missing; or objects, str or None, for categories."""


class Source(Protocol):
    """A table whose columns can be read one by one."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def read(self, numbers: Sequence[str], categories: Sequence[str]) -> dict[str, Values]:
        """The named columns, and no others."""
        ...


@contextmanager
def reading(path: str, kind: str) -> Iterator[None]:
    """Turns any error of a reader into a ValueError of one line; a corrupt file may cause any."""
    try:
        yield
    except Exception as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise ValueError(
            f"expected a whole {kind} file, got {path!r}, which cannot be read ({reason}): "
            "write it anew, or rename it by what it holds"
        ) from None
