"""The method that suits a user's columns: `auto` and others take one without training for labels.

The choice is made before anything is trained, by what the sides are (`mine.data.levels`): both
discrete, one discrete and the other of few columns of numbers, or neither. With several columns
neighbours may be far, so that `mixed` falls short, and networks are trained, if there are rows
enough for that. The choice is made for the rows, and permuted copies of them follow it.
"""

from __future__ import annotations

from dataclasses import replace

from mine.data.levels import check_labels, is_discrete
from mine.estimators.rows import Rows
from mine.method.few_rows import LEAST_ROWS
from mine.method.method import Method
from mine.method.mixed import MOST_COLUMNS, falls_short
from mine.method.names import METHODS

Discrete = tuple[bool, bool]


def discrete_sides(x: Rows, y: Rows) -> Discrete:
    """Whether X is discrete, and Y."""
    return is_discrete(x.values, x.layout), is_discrete(y.values, y.layout)


def pair_method(x: Rows, y: Rows, discrete: Discrete) -> str:
    """The method for a pair of columns where none is named: `mine` for two columns of numbers."""
    return suited(METHODS["auto"], x, y, discrete).taken or "mine"


def fits(method: Method, x: Rows, y: Rows) -> bool:
    """Whether the method takes such rows."""
    try:
        check_labels(method.name, (x.values.numpy(), y.values.numpy()), method.discrete_sides)
    except ValueError:
        return False
    return True


def suited(method: Method, x: Rows, y: Rows, discrete: Discrete) -> Method:
    """The method, or the one that it takes for such sides, under its own name."""
    count = sum(discrete)
    numbers = next((v for v, of in zip((x, y), discrete, strict=True) if not of), x)
    few = numbers.layout.width <= MOST_COLUMNS and not any(numbers.layout.coded)
    taken = method.on_labels.get(count)
    if taken is None or (count == 1 and not few):
        return method
    several = count == 1 and numbers.layout.width > 1 and len(x.values) >= LEAST_ROWS
    if several and falls_short(0.0, x.values, y.values):
        return method
    return replace(taken, name=method.name, taken=taken.name)


def carried(method: Method, n: int, discrete: Discrete) -> Method:
    """The method, or the one that it takes where n rows of numbers are too few to train on."""
    taken = method.on_few_rows
    if taken is None or any(discrete) or n >= LEAST_ROWS:
        return method
    return replace(taken, name=method.name, taken=taken.name)
