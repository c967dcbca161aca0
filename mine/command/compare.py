"""`mine compare`: some columns and others, by several methods side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mine.command import checks, figures, printing
from mine.command import options as opt
from mine.command.errors import FAILED, OK, one_line
from mine.command.inputs import Sides, read_sides
from mine.command.library import (
    check_used_by_some,
    estimate_sides,
    fitting_methods,
    used_by,
)
from mine.command.records import as_record, failure, is_infinite, warnings_of

if TYPE_CHECKING:
    from mine.running.estimates import Estimate

Names = tuple[str, ...]
Found = Mapping[str, "Estimate | Exception"]
"""Method -> what it gave: an estimate, or why it failed."""


@click.command(epilog=opt.FILE_HELP)
@click.argument("file")
@opt.X
@opt.Y
@click.option("--method", default="", metavar="NAMES", help="Some of `mine methods`: mine,ksg.")
@opt.FOLDS
@opt.shared_options
def compare(file: str, x: Names, y: Names, method: str, options: opt.Options) -> int:
    """The same columns by all methods that take them, or by some, side by side.

    A method that fails is a row with its reason, and the exit status is 1.

    \b
    Examples:
      mine compare people.csv --x height,weight --y age
      mine compare people.csv --x height --y age --method 'mine,ksg,smile(tau=1)'
    """
    sides = read_sides(file, x, y, options)
    with printing.progress("starting ..."):
        checks.check_settings(options.library)
        names = _methods(method) or fitting_methods(sides)
        check_used_by_some(names, options)
    found = _by_each(names, sides, options)
    _check_any(found)
    _print_json(found, sides) if options.as_json else _print_table(found, sides)
    estimates = _done(found)
    if options.plot:
        _draw({n: e for n, e in estimates.items() if not is_infinite(e)}, options.plot)
    return OK if len(estimates) == len(found) else FAILED


def _methods(text: str) -> list[str]:
    """The methods named, each once.

    Commas stand between names. A comma in parentheses belongs to a name.
    """
    names = [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]
    checks.check_methods(names)
    return list(dict.fromkeys(names))


def _by_each(names: Sequence[str], sides: Sides, options: opt.Options) -> Found:
    found: dict[str, Estimate | Exception] = {}
    for name in names:
        with printing.progress(f"{name}: {len(found) + 1} of {len(names)} methods ..."):
            try:
                found[name] = estimate_sides(sides, name, used_by(name, options))
            except (ValueError, RuntimeError) as error:
                found[name] = error
    return found


def _check_any(found: Found) -> None:
    """Where every method refuses the input, the input is bad."""
    refusals = [one for one in found.values() if isinstance(one, ValueError)]
    if len(refusals) == len(found):
        raise refusals[0]


def _done(found: Found) -> dict[str, Estimate]:
    estimates = {name: e for name, e in found.items() if not isinstance(e, Exception)}
    return {name: e for name, e in estimates.items() if not failure(e)}


def _draw(estimates: Mapping[str, Estimate], file: Path) -> None:
    estimates = {name: e for name, e in estimates.items() if not is_infinite(e)}
    size = 6.4, 1.5 + 0.3 * len(estimates)
    figures.save_figure(file, lambda ax: figures.draw_methods(ax, estimates), size)


def _kinds(found: Found) -> dict[str, str]:
    import mine

    return {name: mine.methods()[name].kind for name in found}


def _print_json(found: Found, sides: Sides) -> None:
    kinds, rows = _kinds(found), sides.columns.rows
    methods = [_record(name, kinds[name], e, rows) for name, e in found.items()]
    printing.print_json({**sides.record(), "methods": methods})


def _record(name: str, kind: str, e: Estimate | Exception, rows: int) -> dict[str, Any]:
    if isinstance(e, Exception):
        return {"method": name, "kind": kind, "failed": one_line(e)}
    return {"kind": kind, **as_record(e, rows), "failed": failure(e) or None}


def _print_table(found: Found, sides: Sides) -> None:
    kinds = _kinds(found)
    table, notes = (
        printing.new_table("method", "verdict", *printing.HEADS, "kind"),
        printing.dropped_note(sides.columns),
    )
    for name, e in found.items():
        if isinstance(e, Exception):
            table.add_row(name, "", "failed", "", "", "", kinds[name])
            notes.append(f"{name}: failed: {one_line(e)}")
        else:
            table.add_row(name, e.verdict, *printing.cells(e), kinds[name])
            notes += [f"{name}: {text}" for text in warnings_of(e, sides.columns.rows)]
    printing.print_table(table, notes)
