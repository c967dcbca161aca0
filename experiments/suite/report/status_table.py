"""The table of runs on a terminal."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from experiments.suite.claims.wording import duration
from experiments.suite.report.progress import Line, State
from experiments.suite.sweeps.axes import show

STATES: Mapping[State, str] = {
    "done": "green",
    "running": "cyan",
    "resumable": "yellow",
    "failed": "red",
    "locked": "magenta",
    "broken": "red",
}
"""State -> its colour."""
WIDTH = 150
"""Columns of the table where there is no terminal."""
NUMBERS = ("cells", "a minute", "left")
NAMES = ("experiment", "run", "state", *NUMBERS, "updated", "what varies")


def show_table(lines: Sequence[Line]) -> None:
    """The table for people, and a count of the states."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    table = Table(box=None, pad_edge=False)
    for name in NAMES:
        right = name in NUMBERS
        table.add_column(name, justify="right" if right else "left", no_wrap=name != NAMES[-1])
    table.columns[-1].overflow = "fold"
    for one in lines:
        texts = [Text(printable(text)) for text in columns_of(one)]
        texts[NAMES.index("state")].stylize(STATES[one.state])
        table.add_row(*texts)
    console.print(table)
    counts = Counter(one.state for one in lines)
    console.print(", ".join(f"{counts[state]} {state}" for state in STATES if counts[state]))


def columns_of(line: Line) -> list[str]:
    """What the columns say of a run."""
    return [
        line.experiment,
        line.run_id,
        line.state,
        "–" if line.cells is None else f"{line.done or 0}/{line.cells}",
        "–" if line.cells_a_minute is None else paced(line.cells_a_minute),
        duration(line.seconds_left, "coarse"),
        line.updated[:16].replace("T", " ") or "–",
        remarks(line),
    ]


def paced(a_minute: float) -> str:
    """'7,120', or '0.4' where it is slow."""
    return f"{a_minute:,.0f}" if a_minute >= 10 else f"{a_minute:.2g}"


def remarks(line: Line) -> str:
    """'learning_rate=.001 ema_rate=.1', who works on it, and what is wrong."""
    ends = Counter(key.rpartition(".")[2] for key in line.overrides)

    def short(key: str) -> str:
        return key.rpartition(".")[2] if ends[key.rpartition(".")[2]] == 1 else key

    parts = [" ".join(f"{short(key)}={show(value)}" for key, value in line.overrides.items())]
    if line.host:
        parts.append(f"held by process {line.pid} on {line.host} since {line.since}")
    return "; ".join(part for part in [*parts, line.other_code, line.problem] if part) or "–"


def printable(text: str) -> str:
    """Text that moves no cursor: what is not printed is written as it would be in Python."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
