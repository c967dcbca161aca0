"""From the words of the command line to the columns of a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mine.command.options import Options

if TYPE_CHECKING:
    from mine.command.tables.columns import Columns
    from mine.command.tables.source import Source


@dataclass(frozen=True)
class Sides:
    """The columns of x and those of y, read together."""

    columns: Columns
    x: tuple[str, ...]
    y: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        return {"x": self.x, "y": self.y, **counts(self.columns)}


def open_file(path: str) -> Source:
    from mine.command.tables.opening import open_table

    return open_table(path, lambda: sys.stdin.buffer)


def read(source: Source, names: Sequence[str], options: Options) -> Columns:
    from mine.command.tables.columns import read_columns
    from mine.command.tables.picking import pick

    levels = pick(options.categorical, names, "--categorical") if options.categorical else ()
    if options.groups is None:
        return read_columns(source, names, levels, options.drop_missing)
    (groups,) = pick([options.groups], source.names, "--groups")
    if groups in names:
        raise ValueError(
            f"expected another column for --groups than those of x and y, got {groups!r}: leave "
            "it out of these"
        )
    found = read_columns(source, [*names, groups], [*levels, groups], options.drop_missing)
    values = dict(found.values)
    return replace(found, groups=values.pop(groups), values=values)


def read_sides(path: str, x: Sequence[str], y: Sequence[str], options: Options) -> Sides:
    from mine.command.tables.picking import check_apart, pick

    source = open_file(path)
    xs, ys = pick(x, source.names, "--x"), pick(y, source.names, "--y")
    check_apart(xs, ys)
    return Sides(read(source, [*xs, *ys], options), xs, ys)


def counts(columns: Columns) -> dict[str, int]:
    return {"rows": columns.rows, "dropped": columns.dropped}
