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
from mine.estimators.significance import q_values_of

if TYPE_CHECKING:
    from rich.table import Table

    from mine.command.tables.columns import Columns
    from mine.estimators.pairwise import Matrix, Pairwise

Names = tuple[str, ...]
FDR = figures.FDR
_MATRIX_COLUMNS = 8
"""More columns are shown as a list of pairs."""


@click.command(epilog=opt.FILE_HELP)
@click.argument("file")
@click.option("--columns", "chosen", multiple=True, metavar="COLUMNS", help="Not all, but these.")
@click.option("--target", metavar="COLUMN", help="All columns against this one alone.")
@opt.method_option("plugin, mixed or mine, by what the columns are,")
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
        why = columns.left_out.get(target, "it has no values")
        raise ValueError(
            f"expected a --target to compare with, got {target!r}, but {why}: name another"
        )
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
    return _picked(found, found.nats, rows, columns)


def _picked(
    found: Pairwise, matrix: Matrix, rows: Sequence[str], columns: Sequence[str]
) -> list[list[float]]:
    place = {name: i for i, name in enumerate(found.names)}
    return [[float(matrix[place[a], place[b]]) for b in columns] for a in rows]


def _has_copies(found: Pairwise) -> bool:
    return any(e.null for e in found.estimates.values())


def _survives(found: Pairwise, rows: Sequence[str], columns: Sequence[str]) -> list[list[bool]]:
    """Whether the q-value of each row and column is at most `FDR`."""
    kept = {frozenset(pair) for pair, q in q_values_of(found.estimates).items() if q <= FDR}
    return [[frozenset((a, b)) in kept for b in columns] for a in rows]


def _draw(found: Pairwise, names: Names, target: str | None, file: Path) -> None:
    names = tuple(name for name in names if name not in found.left_out)
    columns = [target] if target else list(names)
    rows = [name for name in names if name != target]
    values = _nats(found, rows, columns)
    marked = _survives(found, rows, columns) if _has_copies(found) else None
    room = 0.06 * max(len(printing.shown(name)) for name in (*rows, *columns))
    size = 2.0 + 0.55 * len(columns) + room, 1.5 + 0.45 * len(rows) + room
    figures.save_figure(
        file, lambda ax: figures.draw_matrix(ax, rows, columns, values, marked), size
    )


def _significance_note(found: Pairwise) -> list[str]:
    """How many pairs survive, and what copies are needed for one to do so."""
    q_values = q_values_of(found.estimates)
    if not q_values:
        return []
    kept, pairs = sum(q <= FDR for q in q_values.values()), len(q_values)
    copies = max(len(e.null) for e in found.estimates.values())
    notes = [f"* {kept} of {pairs} pairs have a q-value of at most {FDR} (Benjamini-Hochberg)"]
    if not kept and pairs > FDR * (copies + 1):
        needed = math.ceil(pairs / FDR) - 1
        notes.append(
            f"{copies} copies are too few for a star among {pairs} pairs: take --null {needed}"
        )
    return notes


def _print_json(found: Pairwise, columns: Columns, target: str | None) -> None:
    names = list(columns.values)
    q_values = q_values_of(found.estimates)
    pairs = [
        {"x": a, "y": b, **as_record(e, columns.rows)}
        | ({"q_value": q_values[a, b]} if q_values else {})
        for (a, b), e in found.estimates.items()
    ]
    head: dict[str, Any] = {"columns": names, "target": target, **counts(columns)}
    less = {"constant": found.constant, "left_out": {**columns.left_out, **found.left_out}}
    head |= {name: value for name, value in less.items() if value}
    body: dict[str, Any] = {"nats": _nats(found, names, names)}
    if q_values:
        for name in ("p_values", "q_values"):
            body[name] = _picked(found, getattr(found, name), names, names)
    printing.print_json({**head, **body, "pairs": pairs})


def _print_table(found: Pairwise, columns: Columns, target: str | None) -> None:
    names = [name for name in columns.values if name not in found.left_out]
    square = target is None and len(names) <= _MATRIX_COLUMNS
    notes = [*_significance_note(found), *printing.dropped_note(columns)]
    notes += _notes(found, columns)
    for (a, b), e in found.estimates.items():
        notes += [f"{a}, {b}: {text}" for text in warnings_of(e, columns.rows)]
    printing.print_table(_square(found, names) if square else _by_size(found), notes)


def _square(found: Pairwise, names: Sequence[str]) -> Table:
    table = printing.new_table("nats", *names)
    marked = _survives(found, names, names)
    for name, values, stars in zip(names, _nats(found, names, names), marked, strict=True):
        cells = [_cell(v) + "*" * star for v, star in zip(values, stars, strict=True)]
        table.add_row(printing.shown(name), *cells)
    return table


def _q_cell(q: float) -> str:
    return f"{q:.3f}" + "*" * (q <= FDR)


def _cell(nats: float) -> str:
    if math.isnan(nats):
        return ""
    return f"{nats:.3f}" if math.isfinite(nats) else printing.INFINITE


def _by_size(found: Pairwise) -> Table:
    q_values = q_values_of(found.estimates)
    heads = [*printing.HEADS, *(["q-value"] if q_values else []), "verdict"]
    table = printing.new_table("x", "y", *heads)
    for (a, b), e in sorted(found.estimates.items(), key=lambda item: -item[1].nats):
        cells = [*printing.cells(e), *map(_q_cell, [q_values[a, b]] if q_values else [])]
        table.add_row(printing.shown(a), printing.shown(b), *cells, e.verdict)
    return table
