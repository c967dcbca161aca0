"""`mine estimate`: some columns and others, by one method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mine.command import checks, figures, printing
from mine.command import options as opt
from mine.command.errors import OK
from mine.command.files import written_whole
from mine.command.inputs import Sides, read_sides
from mine.command.library import estimate_sides
from mine.command.records import (
    as_record,
    evidence_note,
    failure,
    normalised_note,
    warnings_of,
)

if TYPE_CHECKING:
    from mine.running.estimates import Estimate

Names = tuple[str, ...]


@click.command(epilog=opt.FILE_HELP)
@click.argument("file")
@opt.X
@opt.Y
@opt.method_option("auto")
@opt.FOLDS
@click.option(
    "--save",
    type=opt.OutputFile(".safetensors"),
    metavar="FILE",
    help="Keep the critic: .safetensors.",
)
@opt.shared_options
def estimate(
    file: str, x: Names, y: Names, method: str | None, save: Path | None, options: opt.Options
) -> int:
    """The mutual information of some columns and others.

    \b
    Examples:
      mine estimate people.csv --x height,weight --y age
      mine estimate people.csv --x height --y age --null 20 --json
      cat people.csv | mine estimate - --x height --y age --plot curve.png
    """
    sides = read_sides(file, x, y, options)
    with printing.progress("starting ..."):
        checks.check_settings(options.library)
        checks.check_methods([method] if method else [])
        checks.check_trains(method, {"--save": save, "--plot": options.plot})
    about = f"{sides.columns.rows} rows of {len(sides.x)} and {len(sides.y)} columns"
    with printing.progress(f"{about}: estimating ..."):
        e = estimate_sides(sides, method, options)
    _print_json(e, sides) if options.as_json else _print_table(e, sides)
    if reason := failure(e):
        raise RuntimeError(reason)
    if save:
        _save_critic(e, save)
    if options.plot and not e.curve:
        raise RuntimeError("expected a training to plot, got none: leave --plot out")
    if options.plot:
        figures.save_figure(options.plot, lambda ax: figures.draw_curve(ax, e), (6.4, 4.0))
    return OK


def _print_json(e: Estimate, sides: Sides) -> None:
    printing.print_json({**sides.record(), **as_record(e, sides.columns.rows)})


def _print_table(e: Estimate, sides: Sides) -> None:
    rows = sides.columns.rows
    table = printing.new_table(*printing.HEADS, "method", "rows")
    table.add_row(*printing.cells(e), e.method, str(rows))
    notes = [f"{e.method} chose {e.chosen}"] * bool(e.chosen)
    notes += [normalised_note(e), *evidence_note(e)]
    notes += [f"warning: {text}" for text in warnings_of(e, rows)]
    printing.print_verdict(e)
    printing.print_table(table, [*printing.dropped_note(sides.columns), *notes])


def _save_critic(e: Estimate, file: Path) -> None:
    if e.critic is None:
        raise RuntimeError(
            f"expected one critic to save, got none of {e.method}: leave --folds out, or take "
            "another method"
        )
    with written_whole(file) as part:
        e.critic.save(part)
