"""The options of the subcommands, by click's own types."""

from __future__ import annotations

import codecs
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mine.command.files import problem_of
from mine.command.settings import SettingType, merged
from mine.command.tables.reading import GIGABYTE, MOST_BYTES, Reading
from mine.memory import check_limit

Command = Callable[..., int]

FIGURES = (".png", ".pdf", ".svg")
PREPROCESSING = ("standardise", "rank", "copula", "auto", "none")
"""`mine.data.preprocessing.KINDS`, which cannot be imported without torch."""

FILE_HELP = """\b
FILE is .csv, .tsv, .txt, .json, .parquet, .feather, .npy, .npz or .xlsx, or -
for text on stdin; text and json also compressed. Only the columns that are
named are read. Columns of .npy, and of text without a header, have numbers for
names (--x 0,1 --y 2); those of .npz, the array's name (--x heights), with a
number for one column of several (--x arr:0).
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


class Delimiter(click.ParamType[str]):
    """One letter, or the name of one that is hard to type."""

    name = "delimiter"
    named: Mapping[str, str] = {"tab": "\t", "\\t": "\t", "space": " ", "blanks": " "}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = self.named.get(value, value)
        if len(found) != 1 or found in '"\r\n':
            self.fail(f"expected one letter, tab or space, got {value!r}: such as ;", param, ctx)
        return str(found)


class Encoding(click.ParamType[str]):
    """An encoding that Python knows."""

    name = "encoding"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            found = codecs.lookup(value)
            "a".encode(found.name).decode(found.name)
        except (LookupError, ValueError):
            self.fail(f"expected an encoding, got {value!r}: such as latin-1", param, ctx)
        return found.name


_SIDE = "The columns of {}, with commas between: height,weight."
X = click.option("--x", multiple=True, required=True, metavar="COLUMNS", help=_SIDE.format("X"))
Y = click.option("--y", multiple=True, required=True, metavar="COLUMNS", help=_SIDE.format("Y"))


def method_option(unless_given: str) -> Callable[[Command], Command]:
    """`--method`, and what the subcommand takes without it."""
    said = f"One of `mine methods`; {unless_given} unless given."
    return click.option("--method", metavar="NAME", help=said)


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
OF_TEXT = ("delimiter", "decimal", "encoding", "header", "skip_rows", "comment", "na")
"""Fields of `Reading` that options have the names of."""


@dataclass(frozen=True)
class Options:
    """What all estimating subcommands take.

    Attributes:
        library: keyword arguments of the library's functions, only those that were given.
        categorical: columns whose values are levels.
        drop_missing: whether rows with missing values are left out.
        as_json: whether the output is JSON.
        plot: where a figure goes.
        reading: how the table is to be read.
        groups: the column whose values say which rows hang together.
    """

    library: Mapping[str, Any]
    categorical: tuple[str, ...]
    drop_missing: bool
    as_json: bool
    plot: Path | None
    reading: Reading
    groups: str | None


def shared_options(function: Command) -> Command:
    """Adds the options of all estimating subcommands, which arrive as one `Options`."""

    @functools.wraps(function)
    def with_options(**given: Any) -> int:
        check_limit()
        library = {name: given.pop(name) for name in LIBRARY if name in given}
        named = {name: value for name, value in library.items() if value is not None}
        others = {name: given.pop(name) for name in OTHERS}
        of_text = {name: given.pop(name) for name in OF_TEXT}
        reading = Reading(**of_text, most_bytes=int(given.pop("max_gb") * GIGABYTE))
        library = merged(named, given.pop("settings"), TAKEN)
        options = Options(library, **others, reading=reading)
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
    click.option(
        "--na",
        multiple=True,
        metavar="TEXT",
        help="What stands for a missing value, such as --na=-999. Can be repeated.",
    ),
    click.option("--delimiter", type=Delimiter(), metavar="SIGN", help="Text: between columns."),
    click.option("--decimal", type=click.Choice([".", ","]), help="Text: the decimal sign."),
    click.option("--encoding", type=Encoding(), metavar="NAME", help="Text: such as latin-1."),
    click.option(
        "--header/--no-header", default=None, help="Text: whether the first line has the names."
    ),
    click.option(
        "--skip-rows", type=WholeNumber(0), metavar="N", help="Text: lines above the header."
    ),
    click.option(
        "--comment", metavar="SIGN", help="Text: what lines begin with that are no rows."
    ),
    click.option(
        "--max-gb",
        type=click.FloatRange(0, min_open=True),
        default=MOST_BYTES / GIGABYTE,
        show_default=True,
        metavar="N",
        help="Most gigabytes that a compressed file may unpack to.",
    ),
    JSON,
    click.option(
        "--plot",
        type=OutputFile(*FIGURES),
        metavar="FILE",
        help="Draw it: .png, .pdf or .svg.",
    ),
)
