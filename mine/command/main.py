"""The command `mine`: estimates for the columns of a file, as a small table or as JSON.

Exit status: 0; 1 where an estimation failed midway; 2 for input that cannot be right, before
anything is trained; 130 for Ctrl-C. Every error is one line on stderr. What is not given is left
to the library's defaults. torch, tables and figures are imported where they are used, so that
`--help` answers at once.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from mine.command import output as results

if TYPE_CHECKING:
    from rich.table import Table

    from mine.command.tables import Columns, Source, Values
    from mine.running.estimates import Estimate

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
FIGURES = (".png", ".pdf", ".svg")
_MATRIX_COLUMNS = 8  # more are shown as a list of pairs
_WIDTH = 100  # of a table that goes into a file or a pipe

F = TypeVar("F", bound=Callable[..., Any])

# A failed job logs its traceback; with no handler at all, logging would print it.
logging.getLogger("mine").addHandler(logging.NullHandler())


# ------------------------------------------------------------ errors of one line


class OneLine(click.Group):
    """Commands whose errors are one line each, with the exit status that the module names."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> NoReturn:
        try:
            status = super().main(*args, **{**extra, "standalone_mode": False})
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "mine"
            _fail(f"{error.format_message().rstrip('.')} (see `{path} --help`)", BAD_INPUT)
        except (click.ClickException, ValueError) as error:
            _fail(error, BAD_INPUT)
        except click.Abort:
            _fail("stopped by Ctrl-C", INTERRUPTED)
        except ModuleNotFoundError as error:
            _fail(
                f"expected {error.name} to be installed, got none: install mine-mi[command]",
                BAD_INPUT,
            )
        except (RuntimeError, OSError, MemoryError) as error:
            _fail(str(error) or type(error).__name__, FAILED)
        sys.exit(status if isinstance(status, int) else OK)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # here, because click answers it with an empty line
            raise click.Abort from None


def _fail(message: object, status: int) -> NoReturn:
    click.echo(f"mine: {' '.join(str(message).split())}", err=True)
    sys.exit(status)


class Whole(click.ParamType[int]):
    """A whole number that is large enough."""

    name = "n"

    def __init__(self, least: int) -> None:
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            number = self.least - 1
        if number < self.least:
            self.fail(
                f"expected a whole number >= {self.least}, got {value!r}: give one, such as "
                f"{max(self.least, 1)}",
                param,
                ctx,
            )
        return number


# ------------------------------------------------------------------- the options


@dataclass(frozen=True)
class Asked:
    """What all estimating commands take.

    Attributes:
        library: keyword arguments of the library's functions, those that were given.
        categorical: columns whose values are levels.
        drop: whether rows with missing values are left out.
        as_json: whether the output is JSON.
        plot: where a figure goes; "" for none.
    """

    library: Mapping[str, Any] = field(default_factory=dict)
    categorical: tuple[str, ...] = ()
    drop: bool = False
    as_json: bool = False
    plot: str = ""

    def columns(self, source: Source, names: Sequence[str]) -> Columns:
        from mine.command import tables

        levels = tables.pick(self.categorical, names, "--categorical") if self.categorical else ()
        return tables.read(source, names, levels, self.drop)


OPTIONS = (
    click.option("--seed", type=Whole(0), help="Equal seeds give equal results on a CPU."),
    click.option("--device", metavar="auto|cpu|cuda", help="Where to train."),
    click.option("--null", type=Whole(0), help="Permuted copies, for a p-value; 20, say."),
    click.option("--preprocess", metavar="KIND", help="standardise, rank, copula, auto or none."),
    click.option("--steps", type=Whole(1), help="Training steps."),
    click.option(
        "--set",
        "settings",
        multiple=True,
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
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object, nothing else."),
    click.option("--plot", default="", metavar="FILE", help="Draw it: .png, .pdf or .svg."),
)


def estimating(function: F) -> F:
    """Adds the options that all estimating commands share."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def _asked(options: Mapping[str, Any]) -> Asked:
    """The shared options, checked as far as they can be before the data are read."""
    plot = options["plot"]
    if plot:
        _check_output("--plot", plot, FIGURES)
    names = ("seed", "device", "null", "folds", "preprocess", "steps")
    library = {name: options[name] for name in names if options.get(name) is not None}
    for setting in options["settings"]:
        key, value = _setting(setting)
        if key in (*names, "method", "critic", "x", "y", "target") or key in library:
            raise ValueError(f"expected {key} to be given once, by --{key}, got --set {setting}")
        library[key] = value
    return Asked(
        library, options["categorical"], options["drop_missing"], options["as_json"], plot
    )


def _setting(text: str) -> tuple[str, Any]:
    """Key and value: hidden=64,64 is ("hidden", (64, 64))."""
    key, sign, value = (part.strip() for part in text.partition("="))
    if not (key.isidentifier() and sign and value):
        raise ValueError(f"expected KEY=VALUE for --set, got {text!r}: such as learning_rate=1e-3")
    parts = [_literal(part.strip()) for part in value.split(",") if part.strip()]
    return key, tuple(parts) if "," in value else parts[0]


def _literal(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _check_output(option: str, path: str, endings: Sequence[str]) -> None:
    """Refuses a path that cannot be written, by writing beside it."""
    file = Path(path)
    if file.suffix.lower() not in endings:
        raise ValueError(f"expected a file name in {' '.join(endings)} for {option}, got {path!r}")
    if file.is_dir():
        raise ValueError(f"expected a file for {option}, got the folder {path!r}: add a name")
    try:
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise ValueError(
            f"expected a path that can be written for {option}, got {path!r} "
            f"({error.strerror}): make the folder, or take another"
        ) from None


@contextmanager
def _written_whole(path: str) -> Iterator[Path]:
    """A file to write into, which becomes `path` when all is in it."""
    file = Path(path)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".mine-") as folder:
        yield Path(folder) / file.name
        os.replace(Path(folder) / file.name, file)


def _check_methods(names: Iterable[str]) -> None:
    """Refuses what is no method, with the names that come near it."""
    import difflib

    import mine

    known = mine.methods()
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, list(known), cutoff=0.5)
            raise ValueError(
                f"expected a method, got {name!r}: "
                + (f"did you mean {' or '.join(near)}?" if near else f"take {', '.join(known)}")
            )


def _check_kinds(given: Mapping[str, Any]) -> None:
    """Refuses settings that are text where the library has a number, and the like.

    Names and values are the library's to check.
    """
    from dataclasses import fields

    from mine.critics.mlp import MLP
    from mine.running.jobs import Job
    from mine.training.settings import Training

    usual = {f.name: f.default for kind in (Job, MLP, Training) for f in fields(kind)}
    for name, value in given.items():
        wanted = _KINDS.get(type(usual.get(name)))
        values = value if isinstance(value, tuple) and wanted == _KINDS[tuple] else (value,)
        if wanted and not all(isinstance(v, wanted[0]) for v in values):
            raise ValueError(
                f"expected {wanted[1]} for --set {name}, got {value!r}: the default is "
                f"{usual[name]}"
            )


_KINDS: Mapping[type, tuple[Any, str]] = {
    int: (int, "a whole number"),
    float: (int | float, "a number"),
    tuple: (int, "whole numbers with commas between"),
    str: (str, "a name"),
}


def _check_trains(option: str, method: str | None) -> None:
    """Refuses to save or draw what a method that trains nothing has not got."""
    import mine

    found = mine.methods().get(method) if method else None
    if found is not None and not found.trains:
        raise ValueError(
            f"expected a method that trains a network for {option}, got {method!r}: take another, "
            f"or leave {option} out"
        )


# ------------------------------------------------------- the library, at one place


def _rows(columns: Columns, names: Sequence[str]) -> Any:
    """(n, d) for the library, whose warnings name columns."""
    import pandas

    return pandas.DataFrame({name: _told(columns.values[name]) for name in names})


def _told(values: Values) -> Values:
    """Categories as an array of text, numbers as they are."""
    return values.astype(str) if values.dtype == object else values


def _estimate(
    columns: Columns, x: Sequence[str], y: Sequence[str], method: str | None, asked: Asked
) -> Estimate:
    import mine

    given: dict[str, Any] = {"method": method} if method else {}
    return mine.estimate(_rows(columns, x), _rows(columns, y), **given, **asked.library)


def _pairwise(columns: Columns, target: str | None, method: str | None, asked: Asked) -> Any:
    import mine

    given: dict[str, Any] = {k: v for k, v in {"method": method, "target": target}.items() if v}
    return mine.pairwise(_rows(columns, list(columns.values)), **given, **asked.library)


@contextmanager
def _progress(text: str) -> Iterator[None]:
    """A line on stderr while something runs, where somebody looks at it."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


# ----------------------------------------------------------------------- the output


def _print_json(record: Mapping[str, Any]) -> None:
    click.echo(json.dumps(results.strict(record), indent=2, ensure_ascii=False, allow_nan=False))


def _print_table(table: Table, notes: Iterable[str] = ()) -> None:
    from rich.console import Console
    from rich.text import Text

    width = None if sys.stdout.isatty() else _WIDTH
    console = Console(width=width, highlight=False, markup=False)
    console.print(table)
    for note in notes:
        console.print(Text(note), soft_wrap=True)


def _dropped(columns: Columns) -> list[str]:
    total = columns.rows + columns.dropped
    return [f"{columns.dropped} of {total} rows dropped: missing values"] * bool(columns.dropped)


def _save_figure(path: str, draw: Callable[[Any], None], size: tuple[float, float]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    draw(figure.add_subplot())
    with _written_whole(path) as file:
        figure.savefig(file, dpi=150)


# ---------------------------------------------------------------------- the commands

FILE_HELP = """\b
FILE is .csv, .tsv, .parquet, .npy or .npz, or - for csv on stdin. Only the
columns that are named are read. Columns of .npy have numbers for names
(--x 0,1 --y 2); of .npz, the array's name (--x heights), with a number for
one column of several (--x arr:0).
"""


@click.group(cls=OneLine, name="mine", no_args_is_help=False)
@click.version_option(package_name="mine-mi", prog_name="mine")
def command() -> None:
    """How much do some columns of a table tell of others? In nats, with an error and warnings.

    \b
    Example:
      mine estimate people.csv --x height,weight --y age
    """


def _open(path: str) -> Source:
    from mine.command.tables import open_table

    return open_table(path, lambda: sys.stdin.buffer)


def _xy(source: Source, x: Sequence[str], y: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    from mine.command import tables

    xs, ys = tables.pick(x, source.names, "--x"), tables.pick(y, source.names, "--y")
    tables.check_apart(xs, ys)
    return xs, ys


X_OPTION = click.option("--x", multiple=True, required=True, metavar="COLUMNS", help="x: a,b")
FOLDS = click.option("--folds", type=Whole(1), help="Cross-fitting: every row is tested once.")
Y_OPTION = click.option("--y", multiple=True, required=True, metavar="COLUMNS", help="y: c")


@command.command(epilog=FILE_HELP)
@click.argument("file")
@X_OPTION
@Y_OPTION
@click.option("--method", metavar="NAME", help="One of `mine methods`.")
@FOLDS
@click.option("--save", default="", metavar="FILE", help="Keep the critic: .safetensors.")
@estimating
def estimate(file: str, x: Any, y: Any, method: str | None, save: str, **options: Any) -> int:
    """The mutual information of some columns and others.

    \b
    Examples:
      mine estimate people.csv --x height,weight --y age
      mine estimate people.csv --x height --y age --null 20 --json
      cat people.csv | mine estimate - --x height --y age --plot curve.png
    """
    asked = _asked(options)
    if save:
        _check_output("--save", save, (".safetensors",))
    source = _open(file)
    xs, ys = _xy(source, x, y)
    columns = asked.columns(source, [*xs, *ys])
    with _progress("starting ..."):
        _check_kinds(asked.library)
        _check_methods([method] if method else [])
        for option, path in (("--save", save), ("--plot", asked.plot)):
            if path:
                _check_trains(option, method)
    with _progress(f"{columns.rows} rows of {len(xs)} and {len(ys)} columns: estimating ..."):
        e = _estimate(columns, xs, ys, method, asked)
    _print_estimate(e, columns, xs, ys, asked)
    if results.failure(e):
        raise RuntimeError(results.failure(e))
    if save:
        _save_critic(e, save)
    if asked.plot:
        _save_figure(asked.plot, lambda ax: results.draw_curve(ax, e), (6.4, 4.0))
    return OK


def _save_critic(e: Estimate, path: str) -> None:
    critic = getattr(e, "critic", None)
    if critic is None:
        raise RuntimeError(
            f"expected one critic to save, got none of {e.method}: leave --folds out, or take "
            "another method"
        )
    with _written_whole(path) as file:
        critic.save(file)


def _print_estimate(
    e: Estimate, columns: Columns, xs: Sequence[str], ys: Sequence[str], asked: Asked
) -> None:
    if asked.as_json:
        counts = {"rows": columns.rows, "dropped": columns.dropped}
        _print_json({"x": xs, "y": ys, **counts, **results.as_record(e, columns.rows)})
        return
    table = results.new_table(*results.HEADS, "method", "rows")
    table.add_row(*results.cells(e), e.method, str(columns.rows))
    notes = [f"{e.method} chose {e.chosen}"] * bool(e.chosen)
    notes += [f"warning: {text}" for text in results.warnings_of(e, columns.rows)]
    _print_table(table, [*_dropped(columns), *notes])


@command.command(epilog=FILE_HELP)
@click.argument("file")
@X_OPTION
@Y_OPTION
@click.option("--method", default="", metavar="NAMES", help="Some of `mine methods`: mine,ksg.")
@FOLDS
@estimating
def compare(file: str, x: Any, y: Any, method: str, **options: Any) -> int:
    """The same columns by all methods, or by some, side by side.

    A method that fails is a row with its reason, and the exit status is 1.

    \b
    Examples:
      mine compare people.csv --x height,weight --y age
      mine compare people.csv --x height --y age --method 'mine,ksg,smile(tau=1)'
    """
    asked = _asked(options)
    source = _open(file)
    xs, ys = _xy(source, x, y)
    columns = asked.columns(source, [*xs, *ys])
    with _progress("starting ..."):
        _check_kinds(asked.library)
        names = _method_names(method)
    found: dict[str, Estimate | Exception] = {}
    for name in names:
        with _progress(f"{name}: {len(found) + 1} of {len(names)} methods ..."):
            try:
                found[name] = _estimate(columns, xs, ys, name, asked)
            except (ValueError, RuntimeError) as error:
                found[name] = error
    if all(isinstance(one, ValueError) for one in found.values()):
        raise next(one for one in found.values() if isinstance(one, ValueError))
    _print_methods(found, columns, xs, ys, asked)
    estimates = {
        name: e
        for name, e in found.items()
        if not isinstance(e, Exception) and not results.failure(e)
    }
    if asked.plot:
        size = (6.4, 1.5 + 0.3 * len(estimates))
        _save_figure(asked.plot, lambda ax: results.draw_methods(ax, estimates), size)
    return OK if len(estimates) == len(found) else FAILED


def _method_names(text: str) -> list[str]:
    """Names with commas between, of which those in parentheses are theirs; all for none."""
    import mine

    names = [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]
    _check_methods(names)
    return list(dict.fromkeys(names or mine.methods()))


def _print_methods(
    found: Mapping[str, Estimate | Exception],
    columns: Columns,
    xs: Sequence[str],
    ys: Sequence[str],
    asked: Asked,
) -> None:
    import mine

    kinds = {name: mine.methods()[name].kind for name in found}
    if asked.as_json:
        rows = [
            {"method": name, "kind": kinds[name], "failed": " ".join(str(e).split())}
            if isinstance(e, Exception)
            else {
                "kind": kinds[name],
                **results.as_record(e, columns.rows),
                "failed": results.failure(e) or None,
            }
            for name, e in found.items()
        ]
        counts = {"rows": columns.rows, "dropped": columns.dropped}
        _print_json({"x": xs, "y": ys, **counts, "methods": rows})
        return
    table, notes = results.new_table("method", *results.HEADS, "kind"), _dropped(columns)
    for name, e in found.items():
        if isinstance(e, Exception):
            table.add_row(name, "failed", "", "", "", kinds[name])
            notes.append(f"{name}: failed: {' '.join(str(e).split())}")
        else:
            table.add_row(name, *results.cells(e), kinds[name])
            notes += [f"{name}: {text}" for text in results.warnings_of(e, columns.rows)]
    _print_table(table, notes)


@command.command(epilog=FILE_HELP)
@click.argument("file")
@click.option("--columns", "chosen", multiple=True, metavar="COLUMNS", help="Not all, but these.")
@click.option("--target", metavar="COLUMN", help="All columns against this one alone.")
@click.option("--method", metavar="NAME", help="One of `mine methods`.")
@estimating
def matrix(file: str, chosen: Any, target: str | None, method: str | None, **options: Any) -> int:
    """The mutual information of every pair of columns, trained together.

    \b
    Examples:
      mine matrix people.csv
      mine matrix people.csv --target age --plot matrix.png
    """
    from mine.command import tables

    asked = _asked(options)
    source = _open(file)
    names = tables.pick(chosen or list(source.names), source.names, "--columns")
    if target is not None:
        (target,) = _one(tables.pick([target], source.names, "--target"))
        names = names if target in names else (*names, target)
    if len(names) < 2:
        raise ValueError(f"expected two columns or more, got {names[0]!r} alone: name more")
    columns = asked.columns(source, names)
    with _progress("starting ..."):
        _check_kinds(asked.library)
        _check_methods([method] if method else [])
    with _progress(f"{columns.rows} rows of {len(names)} columns: estimating ..."):
        found = dict(_pairwise(columns, target, method, asked).estimates)
    _print_matrix(found, columns, target, asked)
    failed = [
        f"{a}, {b}: {results.failure(e)}" for (a, b), e in found.items() if results.failure(e)
    ]
    if asked.plot:
        heads = [target] if target else list(names)
        rows = [name for name in names if name != target]
        values = [[_nats(found, a, b) for b in heads] for a in rows]
        size = 2.0 + 0.55 * len(heads), 1.5 + 0.45 * len(rows)
        _save_figure(asked.plot, lambda ax: results.draw_matrix(ax, rows, heads, values), size)
    if failed:
        raise RuntimeError(failed[0])
    return OK


def _one(names: Sequence[str]) -> Sequence[str]:
    if len(names) != 1:
        raise ValueError(f"expected one column for --target, got {len(names)}: name one")
    return names


Pairs = Mapping[tuple[str, str], "Estimate"]


def _nats(found: Pairs, a: str, b: str) -> float:
    """A pair's value, whichever comes first; nan for a column and itself."""
    e = found.get((a, b)) or found.get((b, a))
    return e.nats if e else math.nan


def _print_matrix(found: Pairs, columns: Columns, target: str | None, asked: Asked) -> None:
    names = list(columns.values)
    if asked.as_json:
        pairs = [
            {"x": a, "y": b, **results.as_record(e, columns.rows)} for (a, b), e in found.items()
        ]
        counts = {"rows": columns.rows, "dropped": columns.dropped}
        nats = [[_nats(found, a, b) for b in names] for a in names]
        _print_json({"columns": names, "target": target, **counts, "nats": nats, "pairs": pairs})
        return
    notes = _dropped(columns)
    for (a, b), e in found.items():
        notes += [f"{a}, {b}: {text}" for text in results.warnings_of(e, columns.rows)]
    if target is None and len(names) <= _MATRIX_COLUMNS:
        table = results.new_table("nats", *names)
        for a in names:
            cells = (_nats(found, a, b) for b in names)
            table.add_row(a, *("" if math.isnan(v) else f"{v:.3f}" for v in cells))
    else:
        table = results.new_table("x", "y", *results.HEADS)
        for (a, b), e in sorted(found.items(), key=lambda item: -item[1].nats):
            table.add_row(a, b, *results.cells(e))
    _print_table(table, notes)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, nothing else.")
def methods(as_json: bool) -> int:
    """What --method takes, and what each is good at.

    \b
    Example:
      mine methods
    """
    import mine

    known = mine.methods()
    fields = ("kind", "trains", "reports", "good_at", "source")
    if as_json:
        _print_json({name: {f: getattr(m, f) for f in fields} for name, m in known.items()})
        return OK
    table = results.new_table("method", "kind", "trains on", "good at")
    for name, m in known.items():
        table.add_row(name, m.kind, m.trains or "(nothing)", m.good_at)
    _print_table(table)
    return OK


def main() -> NoReturn:
    command.main(prog_name="mine")
