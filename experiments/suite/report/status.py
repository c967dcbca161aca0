"""Every run and how far it is: `python -m experiments.suite.report.status`.

Reads files, and changes none.

    done        finished: the same command finds it
    running     a live process of this host works on it, or one elsewhere that was heard of lately
    resumable   stopped, or its process is dead, or a table is broken and the one before it is
                there: the same command goes on from there
    failed      some of its cells raised, or it could not go on: the same command tries them again
    locked      another host holds it, which its status does not show yet
    broken      a file is missing or cannot be read: the table names it

Nothing of torch, pandas or Hydra is loaded, and tables are held against their checksums but not
read, so the answer is quick. The clock is read to tell how old a heartbeat is.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from experiments.suite.claims.wording import duration
from experiments.suite.store import lock
from experiments.suite.store import runs as store
from experiments.suite.sweeps.sweep import flatten, show, varying

State = Literal["done", "running", "resumable", "failed", "locked", "broken"]
STATES: Mapping[State, str] = {
    "done": "green",
    "running": "cyan",
    "resumable": "yellow",
    "failed": "red",
    "locked": "magenta",
    "broken": "red",
}
"""State -> its colour on a terminal."""
WIDTH = 150
"""Columns of the table where there is no terminal."""
EXAMPLE = """\
examples:
  python -m experiments.suite.report.status
  python -m experiments.suite.report.status --outputs outputs --json"""


def seconds_of(moment: Any) -> float:
    """A time in ISO 8601 as seconds since 1970; nan for anything else."""
    try:
        found = datetime.fromisoformat(str(moment))
    except ValueError:
        return math.nan
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


@dataclass(frozen=True)
class Line:
    """What is told of a run."""

    experiment: str
    run_id: str
    folder: str
    state: State
    done: int | None = None
    cells: int | None = None
    cells_a_minute: float | None = None
    seconds_left: float | None = None
    updated: str = ""
    host: str = ""
    pid: int | None = None
    since: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


def line_of(run: store.Run, now: float) -> tuple[Line, dict[str, Any]]:
    """A run's line, without its overrides, and its config; {} where that cannot be read.

    Args:
        run: whose folder is read.
        now: seconds since 1970.
    """
    broken: list[str] = []

    def attempt(read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return read()
        except store.CorruptRunError as error:
            text = str(error).replace(f"{run.folder}{os.sep}", "")
            broken.append(text.partition(f": remove {run.folder}")[0])
            return {}

    holder = lock.read(run.folder / "lock.json")
    held = holder is not None and holder.alive(now)
    config = attempt(run.read_config)
    # Between its lock and its first status a run has begun and says nothing yet.
    begun = not held or (run.folder / "status.json").exists()
    status = attempt(run.read_status) if begun else {}
    faults = {name: fault for name in store.TABLES if (fault := table_fault(run, name, status))}
    broken += [f"{name}: {what}" for name, what in faults.items() if not run.fallback(name)]
    notes = [
        f"{name}: {what}: the copy before it is used"
        for name, what in faults.items()
        if run.fallback(name)
    ]
    if holder is None and (run.folder / "lock.json").exists():
        notes.append("lock.json: expected a lock, got something else: it is taken over")
    state = state_of(status, holder if held else None, bool(broken), bool(faults))
    done, cells = (_count(status.get(name)) for name in ("done", "cells"))
    pace, left = progress(status, done, cells, now if state == "running" else math.nan)
    line = Line(
        run.experiment,
        run.run_id,
        str(run.folder),
        state,
        done,
        cells,
        pace,
        None if state == "done" else left,
        str(status.get("updated", "")),
        holder.host if holder and held else "",
        holder.pid if holder and held else None,
        holder.since if holder and held else "",
        problem="; ".join([*broken, *notes]),
    )
    return line, config


def state_of(
    status: Mapping[str, Any], holder: lock.Holder | None, broken: bool, faulty: bool
) -> State:
    """One of `STATES`.

    Args:
        status: what status.json says.
        holder: who holds the run and lives.
        broken: whether a file that nothing stands in for cannot be read.
        faulty: whether a table is not what was written last.
    """
    said = status.get("state")
    if broken:
        return "broken"
    if holder is not None and (said != "finished" or faulty):
        elsewhere = holder.host != socket.gethostname()
        return "locked" if elsewhere and said != "running" else "running"
    if said == "finished" and not faulty:
        return "done"
    return "failed" if said == "failed" else "resumable"


def table_fault(run: store.Run, name: str, status: Mapping[str, Any]) -> str:
    """What is wrong with a table; rows must be there where cells are done."""
    fault = run.table_fault(name)
    if not fault and name == "rows.parquet" and _count(status.get("done")):
        absent = not (run.folder / name).exists()
        return "expected the rows of the cells that are done, got no file" if absent else ""
    return fault


def progress(
    status: Mapping[str, Any], done: int | None, cells: int | None, now: float
) -> tuple[float | None, float | None]:
    """(cells a minute, seconds left) at the pace so far; None where there is none yet.

    `now` is nan for a run at rest; otherwise the time since its last write is taken off.
    """
    seconds = status.get("seconds")
    if not done or not cells or not isinstance(seconds, int | float) or not seconds > 0:
        return None, None
    pace = done / seconds
    since = now - seconds_of(status.get("updated"))
    left = (cells - done) / pace - (max(0.0, since) if math.isfinite(since) else 0.0)
    return 60.0 * pace, max(0.0, left)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def lines_of(outputs: Path, now: float) -> list[Line]:
    """A line for each run under `outputs`, by experiment and then the latest first."""
    found = [line_of(run, now) for run in map(store.Run, store.run_folders(outputs))]
    lines: list[Line] = []
    for experiment in sorted({line.experiment for line, _ in found}):
        own = [(line, flatten(config)) for line, config in found if line.experiment == experiment]
        keys = varying([settings for _, settings in own if settings])
        lines += sorted(
            (
                Line(**{**vars(line), "overrides": {k: flat.get(k) for k in keys if flat}})
                for line, flat in own
            ),
            key=lambda line: (line.updated, line.run_id),
            reverse=True,
        )
    return lines


# What is printed


def show_table(lines: Sequence[Line]) -> None:
    """The table for people, and a count of the states."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    table = Table(box=None, pad_edge=False)
    names = ("experiment", "run", "state", "cells", "a minute", "left", "updated", "what varies")
    for name in names:
        right = name in ("cells", "a minute", "left")
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "what varies")
    table.columns[-1].overflow = "fold"
    for one in lines:
        cells = "–" if one.cells is None else f"{one.done or 0}/{one.cells}"
        pace = "–" if one.cells_a_minute is None else f"{one.cells_a_minute:.3g}"
        texts = (
            one.experiment,
            one.run_id,
            one.state,
            cells,
            pace,
            duration(one.seconds_left, "coarse"),
        )
        cut = one.updated[:16].replace("T", " ") or "–"
        table.add_row(
            *(
                Text(printable(text), style=STATES[one.state] if i == 2 else "")
                for i, text in enumerate((*texts, cut, remarks(one)))
            )
        )
    console.print(table)
    counts = Counter(one.state for one in lines)
    console.print(", ".join(f"{counts[state]} {state}" for state in STATES if counts[state]))


def remarks(line: Line) -> str:
    """'learning_rate=.001 ema_rate=.1', who works on it, and what is wrong."""
    ends = Counter(key.rpartition(".")[2] for key in line.overrides)

    def short(key: str) -> str:
        return key.rpartition(".")[2] if ends[key.rpartition(".")[2]] == 1 else key

    parts = [" ".join(f"{short(key)}={show(value)}" for key, value in line.overrides.items())]
    if line.host:
        parts.append(f"held by process {line.pid} on {line.host} since {line.since}")
    return "; ".join(part for part in [*parts, line.problem] if part) or "–"


def printable(text: str) -> str:
    """Text that moves no cursor: what is not printed is written as it would be in Python."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


# Command


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 2 where the folder is none."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.suite.report.status",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--outputs", type=Path, default=Path("outputs"), help="the folder of the runs (outputs)"
    )
    parser.add_argument("--json", action="store_true", help="a list of objects, for programs")
    asked = parser.parse_args(arguments)
    if not asked.outputs.is_dir():
        print(
            f"experiments.status: expected a folder with runs, got {str(asked.outputs)!r}: run"
            " `python -m experiments experiment=gaussian` first, or name it with --outputs",
            file=sys.stderr,
        )
        return 2
    lines = lines_of(asked.outputs, seconds_of(store.utc_now()))
    if asked.json:
        print(json.dumps([asdict(line) for line in lines], indent=2, ensure_ascii=False))
    elif lines:
        show_table(lines)
    else:
        print(f"No run in {asked.outputs} yet.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
