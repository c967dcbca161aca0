"""`mine lagged`: two series at several lags."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mine.command import checks, figures, printing
from mine.command import options as opt
from mine.command.errors import OK
from mine.command.inputs import Sides, read_sides
from mine.command.library import estimate_lags
from mine.command.records import as_record, failure, warnings_of

if TYPE_CHECKING:
    from mine.estimators.lagged import Lagged

Names = tuple[str, ...]
Lags = tuple[int, ...]


class LagsType(click.ParamType[Lags]):
    """Whole numbers with commas between, or FIRST:LAST with both included."""

    name = "lags"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Lags:
        from mine.estimators.lagged import MOST_LAGS

        text = str(value).replace(" ", "")
        if re.fullmatch(r"-?\d+(,-?\d+)*", text):
            return tuple(map(int, text.split(",")))
        if re.fullmatch(r"-?\d+:-?\d+", text):
            first, last = map(int, text.split(":"))
            if first <= last < first + MOST_LAGS:
                return tuple(range(first, last + 1))
        raise click.BadParameter(
            f"expected lags such as -5:5 or 0,1,2,24, at most {MOST_LAGS:,}, got {value!r}",
            ctx,
            param,
        )


@click.command(epilog=opt.FILE_HELP)
@click.argument("file")
@opt.X
@opt.Y
@click.option(
    "--lags", type=LagsType(), required=True, metavar="LAGS", help="Rows: -5:5, or 0,1,24."
)
@opt.method_option("mine")
@opt.FOLDS
@opt.shared_options
def lagged(
    file: str, x: Names, y: Names, lags: Lags, method: str | None, options: opt.Options
) -> int:
    """The mutual information of x and of y some rows later, for several lags.

    The rows are one series, in the order of time. At a positive lag y comes after x.

    \b
    Examples:
      mine lagged weather.csv --x pressure --y rain --lags -6:6 --plot lags.png
      mine lagged weather.csv --x pressure --y rain --lags 0,1,24 --blocks 48 --json
    """
    if options.groups:
        raise ValueError("expected one series, got --groups: take the rows of one group alone")
    series = replace(options, library={**options.library, "order": "time"})
    sides = read_sides(file, x, y, series)
    with printing.progress("starting ..."):
        checks.check_settings(options.library)
        checks.check_methods([method] if method else [])
    about = f"{sides.columns.rows} rows at {len(lags)} lags"
    with printing.progress(f"{about}: estimating ..."):
        found = estimate_lags(sides, lags, method, options)
    _print_json(found, sides) if options.as_json else _print_table(found, sides)
    if options.plot:
        figures.save_figure(options.plot, lambda ax: figures.draw_lags(ax, found), (6.4, 4.0))
    for lag, e in zip(found.lags, found.estimates, strict=True):
        if not math.isfinite(e.nats):
            raise RuntimeError(f"lag {lag}: {failure(e)}")
    return OK


def _print_json(found: Lagged, sides: Sides) -> None:
    rows = sides.columns.rows
    of_lags = [
        {"lag": lag, **as_record(e, rows)}
        for lag, e in zip(found.lags, found.estimates, strict=True)
    ]
    printing.print_json({**sides.record(), "lags": of_lags})


def _print_table(found: Lagged, sides: Sides) -> None:
    table = printing.new_table("lag", *printing.HEADS)
    notes: dict[str, list[int]] = {}
    for lag, e in zip(found.lags, found.estimates, strict=True):
        table.add_row(str(lag), *printing.cells(e))
        for text in warnings_of(e, sides.columns.rows):
            notes.setdefault(text, []).append(lag)
    texts = [f"lag {', '.join(map(str, lags))}: {text}" for text, lags in notes.items()]
    printing.print_table(table, [*printing.dropped_note(sides.columns), *texts])
