"""The only place that calls the library's estimators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mine.command.inputs import Sides
from mine.command.options import Options

if TYPE_CHECKING:
    from mine.command.tables.columns import Columns
    from mine.command.tables.source import Values
    from mine.estimators.lagged import Lagged
    from mine.estimators.pairwise import Pairwise
    from mine.running.estimates import Estimate


def estimate_sides(sides: Sides, method: str | None, options: Options) -> Estimate:
    import mine

    x, y = _table(sides.columns, sides.x), _table(sides.columns, sides.y)
    return mine.estimate(x, y, **_named(method=method), **_library(sides.columns, options))


def estimate_lags(
    sides: Sides, lags: Sequence[int], method: str | None, options: Options
) -> Lagged:
    import mine

    x, y = _table(sides.columns, sides.x), _table(sides.columns, sides.y)
    named = {name: value for name, value in options.library.items() if name != "order"}
    return mine.lagged(x, y, lags, **_named(method=method), **named)


def fitting_methods(sides: Sides) -> list[str]:
    """The methods that take such columns: `plugin` takes labels alone."""
    import mine
    from mine.estimators.rows import as_pair
    from mine.estimators.suited import fits

    x, y = as_pair(_table(sides.columns, sides.x), _table(sides.columns, sides.y))
    return [name for name, method in mine.methods().items() if fits(method, x, y)]


def used_by(name: str, options: Options) -> Options:
    """The options without those that this method does not use."""
    from mine.estimators.unused import unused
    from mine.method.names import METHODS

    left_out = unused(METHODS.resolve(name), options.library)
    library = {key: v for key, v in options.library.items() if key not in left_out}
    return replace(options, library=library)


def check_used_by_some(names: Sequence[str], options: Options) -> None:
    """Refuses an option that none of these methods uses."""
    from mine.estimators.unused import unused
    from mine.method.names import METHODS

    left_out = [set(unused(METHODS.resolve(name), options.library)) for name in names]
    if found := sorted(set.intersection(*left_out)):
        raise ValueError(
            f"expected options that one of the methods uses, got {found[0]}: leave it out"
        )


def estimate_pairs(
    columns: Columns, target: str | None, method: str | None, options: Options
) -> Pairwise:
    import mine

    table = _table(columns, list(columns.values))
    named = _named(method=method, target=target)
    return mine.pairwise(table, **named, **_library(columns, options))


def _library(columns: Columns, options: Options) -> dict[str, Any]:
    """Keyword arguments, with the groups where a column says them."""
    if columns.groups is None:
        return dict(options.library)
    return {**options.library, "groups": columns.groups.astype(str)}


def _named(**arguments: str | None) -> dict[str, Any]:
    """Those that were given; the library has defaults for the others."""
    return {name: value for name, value in arguments.items() if value}


def _table(columns: Columns, names: Sequence[str]) -> dict[str, Values]:
    """Columns by name: the library's warnings name them."""
    return {name: _plain(columns.values[name]) for name in names}


def _plain(values: Values) -> Values:
    """Categories as an array of text; numbers unchanged."""
    return values.astype(str) if values.dtype == object else values
