"""`mine matrix`: every pair of columns, or every column and a target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mine.command import checks, figures, printing
from mine.command import options as opt
from mine.command.errors import OK
from mine.command.inputs import counts, groups_of, open_file, read
from mine.command.library import estimate_pairs
from mine.command.records import as_record, failure, warnings_of

if TYPE_CHECKING:
    from rich.table import Table

    from mine.command.tables.columns import Columns
    from mine.estimators.pairwise import Pairwise

Names = tuple[str, ...]
_MATRIX_COLUMNS = 8
"""More columns are shown as a list of pairs."""


@click.command(epilog=opt.FILE_HELP)
@click.argument("file")
@click.option("--columns", "chosen", multiple=True, metavar="COLUMNS", help="Not all, but these.")
@click.option("--target", metavar="COLUMN", help="All columns against this one alone.")
@opt.METHOD
@opt.shared_options
def matrix(
    file: str, chosen: Names, target: str | None, method: str | None, options: opt.Options
) -> int:
    """The mutual information of every pair of columns, trained together.

    \b
    Examples:
      mine matrix people.csv
      mine matrix people.csv --target age --plot matrix.png
    """
    source = open_file(file, options)
    groups = groups_of(source, options)
    names, target = _pick(tuple(n for n in source.names if n != groups), chosen, target)
    columns = read(source, names, options, whole=True)
    names = tuple(columns.values)
    if target is not None and target not in names:
        raise ValueError(f"expected a --target with values, got none in {target!r}: name another")
    with printing.progress("starting ..."):
        checks.check_settings(options.library)
        checks.check_methods([method] if method else [])
    with printing.progress(f"{columns.rows} rows of {len(names)} columns: estimating ..."):
        found = estimate_pairs(columns, target, method, options)
    if options.as_json:
        _print_json(found, columns, target)
    else:
        _print_table(found, columns, target)
    if options.plot:
        _draw(found, names, target, options.plot)
    _check_finite(found)
    return OK


def _notes(found: Pairwise, columns: Columns) -> list[str]:
    """What was left out, and what is nothing."""
    left_out = {**columns.left_out, **found.left_out}
    return [
        *(f"column {name!r} is left out: {why}" for name, why in left_out.items()),
        *(f"column {name!r} is constant: it tells nothing" for name in found.constant),
    ]


def _pick(known: Names, chosen: Names, target: str | None) -> tuple[Names, str | None]:
    """The columns to read, and the target among them."""
    from mine.command.tables.picking import pick

    names = pick(chosen or known, known, "--columns")
    if target is not None:
        found = pick([target], known, "--target")
        if len(found) != 1:
            raise ValueError(f"expected one column for --target, got {len(found)}: name one")
        (target,) = found
        names = names if target in names else (*names, target)
    if len(names) < 2:
        raise ValueError(f"expected two columns or more, got {names[0]!r} alone: name more")
    return names, target


def _check_finite(found: Pairwise) -> None:
    for (a, b), e in found.estimates.items():
        if reason := failure(e):
            raise RuntimeError(f"{a}, {b}: {reason}")


def _nats(found: Pairwise, rows: Sequence[str], columns: Sequence[str]) -> list[list[float]]:
    """A value for each row and column; nan where none is."""
    place = {name: i for i, name in enumerate(found.names)}
    return [[float(found.nats[place[a], place[b]]) for b in columns] for a in rows]


def _draw(found: Pairwise, names: Names, target: str | None, file: Path) -> None:
    names = tuple(name for name in names if name not in found.left_out)
    columns = [target] if target else list(names)
    rows = [name for name in names if name != target]
    values = _nats(found, rows, columns)
    room = 0.06 * max(len(printing.shown(name)) for name in (*rows, *columns))
    size = 2.0 + 0.55 * len(columns) + room, 1.5 + 0.45 * len(rows) + room
    figures.save_figure(file, lambda ax: figures.draw_matrix(ax, rows, columns, values), size)


def _print_json(found: Pairwise, columns: Columns, target: str | None) -> None:
    names = list(columns.values)
    pairs = [
        {"x": a, "y": b, **as_record(e, columns.rows)} for (a, b), e in found.estimates.items()
    ]
    head: dict[str, Any] = {"columns": names, "target": target, **counts(columns)}
    less = {"constant": found.constant, "left_out": {**columns.left_out, **found.left_out}}
    head |= {name: value for name, value in less.items() if value}
    printing.print_json({**head, "nats": _nats(found, names, names), "pairs": pairs})


def _print_table(found: Pairwise, columns: Columns, target: str | None) -> None:
    names = [name for name in columns.values if name not in found.left_out]
    square = target is None and len(names) <= _MATRIX_COLUMNS
    notes = [*printing.dropped_note(columns), *_notes(found, columns)]
    for (a, b), e in found.estimates.items():
        notes += [f"{a}, {b}: {text}" for text in warnings_of(e, columns.rows)]
    printing.print_table(_square(found, names) if square else _by_size(found), notes)


def _square(found: Pairwise, names: Sequence[str]) -> Table:
    table = printing.new_table("nats", *names)
    for name, values in zip(names, _nats(found, names, names), strict=True):
        table.add_row(printing.shown(name), *map(_cell, values))
    return table


def _cell(nats: float) -> str:
    if math.isnan(nats):
        return ""
    return f"{nats:.3f}" if math.isfinite(nats) else printing.INFINITE


def _by_size(found: Pairwise) -> Table:
    table = printing.new_table("x", "y", *printing.HEADS, "verdict")
    for (a, b), e in sorted(found.estimates.items(), key=lambda item: -item[1].nats):
        names = printing.shown(a), printing.shown(b)
        table.add_row(*names, *printing.cells(e), e.verdict)
    return table
