"""What every format gives: columns by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

Values = NDArray[Any]
"""(n,): float64 with nan where a number is missing; or objects, str or None, for categories."""

TEXT = "categories (text)"
CODED = "categories (a dictionary)"
DATES = "days since 1970 (dates)"
EXACT = 2**53
"""Float64 has every whole number up to this, in size."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        values: its values.
        taken_as: what its values were taken for, where nobody asked for that; "" for numbers.
        rounded: a whole number of the column that `values` do not have to the last digit.
    """

    values: Values
    taken_as: str = ""
    rounded: int | None = None


class Source(Protocol):
    """A table whose columns can be read one by one."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def recognised(self) -> tuple[str, ...]:
        """What was recognised of the table, where it is not the usual."""
        ...

    def read(self, names: Sequence[str], levels: Collection[str]) -> Mapping[str, Column]:
        """The named columns, and no others; `levels` of them are categories in any case."""
        ...


def read_each(names: Sequence[str], read: Callable[[str], Column]) -> dict[str, Column]:
    """Columns one by one. What is wrong with any of them is said in one error."""
    found, wrong = {}, []
    for name in names:
        try:
            found[name] = read(name)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError(in_one(wrong))
    return found


_SHOWN = 8
"""Errors in one."""


def in_one(wrong: Sequence[str]) -> str:
    if len(wrong) == 1:
        return wrong[0]
    more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return f"{len(wrong)} columns cannot be taken: " + "; ".join(wrong[:_SHOWN]) + more


@contextmanager
def reading(path: str, kind: str) -> Iterator[None]:
    """Turns any error of a reader into a ValueError of one line; a corrupt file may cause any."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith("expected"):
            raise  # it says already what to do
        reason = str(error).split("\n")[0] or type(error).__name__
        raise ValueError(
            f"expected a whole {kind} file, got {path!r}, which cannot be read ({reason}): "
            "write it anew, or rename it by what it holds"
        ) from None
