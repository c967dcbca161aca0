"""From the words of the command line to the columns of a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mine.command import printing
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


def open_file(path: str, options: Options) -> Source:
    from mine.command.tables.opening import open_table

    return open_table(path, lambda: sys.stdin.buffer, options.reading)


def read(source: Source, names: Sequence[str], options: Options, whole: bool = False) -> Columns:
    """The named columns; what was recognised of them is said on stderr."""
    from mine.command.tables.picking import pick
    from mine.data.gaps import GAPS

    levels = pick(options.categorical, names, "--categorical") if options.categorical else ()
    found = _read(source, names, levels, options, whole)
    if found.has_gaps and {"order", "blocks"} & set(options.library):
        raise ValueError(GAPS)
    if said := [*source.recognised, *_taken(found)]:
        printing.print_note(f"recognised {'; '.join(said)}")
    for doubt in found.doubts:
        printing.print_note(f"warning: {doubt}")
    return found


def groups_of(source: Source, options: Options) -> str | None:
    """The column that says which rows hang together."""
    from mine.command.tables.picking import pick

    if options.groups is None:
        return None
    found = pick([options.groups], source.names, "--groups")
    if len(found) != 1:
        raise ValueError(f"expected one column for --groups, got {len(found)}: name one")
    return found[0]


def _read(
    source: Source, names: Sequence[str], levels: Sequence[str], options: Options, whole: bool
) -> Columns:
    """The named columns, with the one of groups apart from them."""
    from mine.command.tables.columns import read_columns

    how = options.drop_missing, options.reading.na, whole
    groups = groups_of(source, options)
    if groups is None:
        return read_columns(source, names, levels, *how)
    if groups in names:
        raise ValueError(
            f"expected another column for --groups than those of x and y, got {groups!r}: leave "
            "it out of these"
        )
    found = read_columns(source, [*names, groups], [*levels, groups], *how)
    values = dict(found.values)
    ids = values.pop(groups, None)
    if ids is None or not values:
        raise ValueError(
            f"expected values in the column of --groups and in others, got none in "
            f"{', '.join(map(repr, found.left_out))}: name other columns"
        )
    return replace(found, groups=ids, values=values)


def _taken(columns: Columns) -> list[str]:
    """What columns were taken for: one text for all that were taken for the same."""
    kinds = dict.fromkeys(columns.taken_as.values())
    return [
        f"{_listed([name for name, one in columns.taken_as.items() if one == kind])} as {kind}"
        for kind in kinds
    ]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more


_SHOWN = 6
"""Names in a note."""


def read_sides(path: str, x: Sequence[str], y: Sequence[str], options: Options) -> Sides:
    from mine.command.tables.picking import check_apart, pick

    source = open_file(path, options)
    xs, ys = pick(x, source.names, "--x"), pick(y, source.names, "--y")
    check_apart(xs, ys)
    return Sides(read(source, [*xs, *ys], options), xs, ys)


def counts(columns: Columns) -> dict[str, int]:
    return {"rows": columns.rows, "dropped": columns.dropped}
