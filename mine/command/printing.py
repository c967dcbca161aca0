"""What is printed: JSON, tables with notes below, and a line of progress."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from mine.command.errors import harmless, one_line
from mine.command.records import LEVEL, is_infinite, strict

if TYPE_CHECKING:
    from rich.table import Table

    from mine.command.tables.columns import Columns
    from mine.running.estimates import Estimate

HEADS = ("nats", "bits", "95 % interval", "p-value")
INFINITE = "infinite"
_NAME_LETTERS = 40
_TEXT = ("method", "verdict", "kind", "y", "trains on", "good at")
"""Heads of columns that hold text. The first column always does."""
_COLOURS = {"reliable": "green", "doubtful": "yellow", "unreliable": "red"}
_STEERING = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Letters that json leaves as they are, and that would steer a terminal."""
_WIDTH = 100
"""Of a table that goes into a file or a pipe."""


@contextmanager
def progress(text: str) -> Iterator[None]:
    """A line on stderr while something runs, where stderr is a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


def print_json(record: Mapping[str, Any]) -> None:
    text = json.dumps(strict(record), indent=2, ensure_ascii=False, allow_nan=False)
    click.echo(_STEERING.sub(lambda m: f"\\u{ord(m[0]):04x}", text))


def print_note(text: str) -> None:
    """A line on stderr."""
    click.echo(f"mine: {one_line(harmless(text))}", err=True)


def print_table(table: Table, notes: Iterable[str] = ()) -> None:
    from rich.console import Console
    from rich.text import Text

    width = None if sys.stdout.isatty() else _WIDTH
    console = Console(width=width, highlight=False, markup=False)
    console.print(table)
    for note in notes:
        console.print(Text(harmless(note)), soft_wrap=True)


def new_table(*heads: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for i, head in enumerate(heads):
        table.add_column(shown(head), justify="left" if i == 0 or head in _TEXT else "right")
    return table


def cells(e: Estimate) -> tuple[str, ...]:
    """An estimate's cells under `HEADS`; the interval is in nats."""
    low, high = e.interval(LEVEL)
    p = "-" if e.p_value is None else f"{e.p_value:.3f}"
    if is_infinite(e):
        return INFINITE, INFINITE, f"{low:.3f} to infinity", p
    return f"{e.nats:.3f}", f"{e.bits:.3f}", f"{low:.3f} to {high:.3f}", p


def print_verdict(e: Estimate) -> None:
    """The verdict and why, on a terminal in its colour."""
    from rich.console import Console
    from rich.text import Text

    reasons = f": {'; '.join(e.reasons)}" if e.reasons else ""
    line = Text.assemble((e.verdict, f"bold {_COLOURS[e.verdict]}"), reasons)
    Console(highlight=False, markup=False).print(line, soft_wrap=True)


def shown(name: str) -> str:
    """A column's name in a table or a figure."""
    found = one_line(harmless(name))
    return found if len(found) <= _NAME_LETTERS else found[: _NAME_LETTERS - 1] + "…"


def dropped_note(columns: Columns) -> list[str]:
    total = columns.rows + columns.dropped
    return [f"{columns.dropped} of {total} rows dropped: missing values"] * bool(columns.dropped)
