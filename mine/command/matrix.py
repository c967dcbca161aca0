"""`mine matrix`: every pair of columns, or every column and a target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mine.command import checks, figures, printing
from mine.command import options as opt
from mine.command.errors import OK
from mine.command.inputs import counts, open_file, read
from mine.command.library import estimate_pairs
from mine.command.records import as_record, failure, warnings_of

if TYPE_CHECKING:
    from rich.table import Table

    from mine.command.tables.columns import Columns
    from mine.running.estimates import Estimate

Names = tuple[str, ...]
Found = Mapping[tuple[str, str], "Estimate"]
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
    source = open_file(file)
    names, target = _pick(source.names, chosen, target)
    columns = read(source, names, options)
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


def _check_finite(found: Found) -> None:
    for (a, b), e in found.items():
        if reason := failure(e):
            raise RuntimeError(f"{a}, {b}: {reason}")


def _nats(found: Found, rows: Sequence[str], columns: Sequence[str]) -> list[list[float]]:
    """A value for each row and column, whichever comes first in the pair; nan where none is."""

    def of_pair(a: str, b: str) -> float:
        e = found.get((a, b)) or found.get((b, a))
        return e.nats if e else math.nan

    return [[of_pair(a, b) for b in columns] for a in rows]


def _draw(found: Found, names: Names, target: str | None, file: Path) -> None:
    columns = [target] if target else list(names)
    rows = [name for name in names if name != target]
    values = _nats(found, rows, columns)
    size = 2.0 + 0.55 * len(columns), 1.5 + 0.45 * len(rows)
    figures.save_figure(file, lambda ax: figures.draw_matrix(ax, rows, columns, values), size)


def _print_json(found: Found, columns: Columns, target: str | None) -> None:
    names = list(columns.values)
    pairs = [{"x": a, "y": b, **as_record(e, columns.rows)} for (a, b), e in found.items()]
    head = {"columns": names, "target": target, **counts(columns)}
    printing.print_json({**head, "nats": _nats(found, names, names), "pairs": pairs})


def _print_table(found: Found, columns: Columns, target: str | None) -> None:
    names = list(columns.values)
    square = target is None and len(names) <= _MATRIX_COLUMNS
    notes = printing.dropped_note(columns)
    for (a, b), e in found.items():
        notes += [f"{a}, {b}: {text}" for text in warnings_of(e, columns.rows)]
    printing.print_table(_square(found, names) if square else _by_size(found), notes)


def _square(found: Found, names: Sequence[str]) -> Table:
    table = printing.new_table("nats", *names)
    for name, values in zip(names, _nats(found, names, names), strict=True):
        table.add_row(name, *("" if math.isnan(v) else f"{v:.3f}" for v in values))
    return table


def _by_size(found: Found) -> Table:
    table = printing.new_table("x", "y", *printing.HEADS, "verdict")
    for (a, b), e in sorted(found.items(), key=lambda item: -item[1].nats):
        table.add_row(a, b, *printing.cells(e), e.verdict)
    return table
