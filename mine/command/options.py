"""The options of the subcommands, by click's own types."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mine.command.files import problem_of
from mine.command.settings import SettingType, merged

Command = Callable[..., int]

FIGURES = (".png", ".pdf", ".svg")
PREPROCESSING = ("standardise", "rank", "copula", "auto", "none")
"""`mine.data.preprocessing.KINDS`, which cannot be imported without torch."""

FILE_HELP = """\b
FILE is .csv, .tsv, .parquet, .npy or .npz, or - for csv on stdin. Only the
columns that are named are read. Columns of .npy have numbers for names
(--x 0,1 --y 2); of .npz, the array's name (--x heights), with a number for
one column of several (--x arr:0).
"""


class WholeNumber(click.IntRange):
    """click's range, with an error that says what to give."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(
                f"expected a whole number >= {self.min}, got {value!r}: give one, such as "
                f"{max(self.min or 0, 1)}",
                param,
                ctx,
            )


class OutputFile(click.Path):
    """A file that can be written, with one of some endings."""

    def __init__(self, *endings: str) -> None:
        super().__init__(path_type=Path)
        self.endings = endings

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if problem := problem_of(Path(value), self.endings):
            self.fail(problem, param, ctx)
        return super().convert(value, param, ctx)


X = click.option("--x", multiple=True, required=True, metavar="COLUMNS", help="x: a,b")
Y = click.option("--y", multiple=True, required=True, metavar="COLUMNS", help="y: c")
METHOD = click.option("--method", metavar="NAME", help="One of `mine methods`.")
FOLDS = click.option(
    "--folds", type=WholeNumber(1), metavar="N", help="Cross-fitting: every row is tested once."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, nothing else.")

LIBRARY = ("seed", "device", "null", "folds", "preprocess", "steps", "order", "blocks")
"""Options that are keyword arguments of the library's functions."""
TAKEN = (*LIBRARY, "method", "critic", "x", "y", "target", "groups", "lags")
"""Keyword arguments that `--set` does not set."""
OTHERS = ("categorical", "drop_missing", "as_json", "plot", "groups")
"""Shared options that the library does not take."""


@dataclass(frozen=True)
class Options:
    """What all estimating subcommands take.

    Attributes:
        library: keyword arguments of the library's functions, only those that were given.
        categorical: columns whose values are levels.
        drop_missing: whether rows with missing values are left out.
        as_json: whether the output is JSON.
        plot: where a figure goes.
        groups: the column whose values say which rows hang together.
    """

    library: Mapping[str, Any]
    categorical: tuple[str, ...]
    drop_missing: bool
    as_json: bool
    plot: Path | None
    groups: str | None = None


def shared_options(function: Command) -> Command:
    """Adds the options of all estimating subcommands, which arrive as one `Options`."""

    @functools.wraps(function)
    def with_options(**given: Any) -> int:
        library = {name: given.pop(name) for name in LIBRARY if name in given}
        named = {name: value for name, value in library.items() if value is not None}
        others = {name: given.pop(name) for name in OTHERS}
        options = Options(merged(named, given.pop("settings"), TAKEN), **others)
        return function(**given, options=options)

    command: Command = with_options
    for option in reversed(SHARED):
        command = option(command)
    return command


SHARED: tuple[Callable[[Command], Command], ...] = (
    click.option(
        "--seed", type=WholeNumber(0), metavar="N", help="Equal seeds give equal results on a CPU."
    ),
    click.option("--device", metavar="auto|cpu|cuda", help="Where to train."),
    click.option(
        "--null", type=WholeNumber(0), metavar="N", help="Permuted copies, for a p-value; 20, say."
    ),
    click.option(
        "--preprocess", type=click.Choice(PREPROCESSING), help="How columns are rescaled."
    ),
    click.option(
        "--groups", metavar="COLUMN", help="Rows of one value hang together: a patient's visits."
    ),
    click.option("--order", type=click.Choice(("time",)), help="Rows are one series in time."),
    click.option(
        "--blocks", type=WholeNumber(1), metavar="N", help="Rows of a series that hang together."
    ),
    click.option("--steps", type=WholeNumber(1), metavar="N", help="Training steps."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        type=SettingType(),
        metavar="KEY=VALUE",
        help="Another setting of the training or the network: hidden=64,64, learning_rate=1e-3, "
        "or k=5 for KSG. Can be repeated.",
    ),
    click.option(
        "--categorical",
        multiple=True,
        metavar="COLUMNS",
        help="Columns whose values, numbers or text, are levels without an order.",
    ),
    click.option("--drop-missing", is_flag=True, help="Leave rows with missing values out."),
    JSON,
    click.option(
        "--plot",
        type=OutputFile(*FIGURES),
        metavar="FILE",
        help="Draw it: .png, .pdf or .svg.",
    ),
)
