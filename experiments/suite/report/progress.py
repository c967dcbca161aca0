"""How far each run is: its files, its lock and its heartbeat read, and none changed.

Neither torch, pandas nor Hydra is loaded. Tables are compared with their checksums and not read,
so the answer is quick. `experiments.suite.report.status` explains the states.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from experiments.suite.grid import shards
from experiments.suite.report.origins import other_codes
from experiments.suite.store import holder as lock
from experiments.suite.store.checked_tables import CorruptRunError, has_fallback, table_fault
from experiments.suite.store.code import UNKNOWN, by_code
from experiments.suite.store.reading import is_count, is_number
from experiments.suite.store.runs import TABLES, Run, run_folders
from experiments.suite.sweeps.axes import flatten, varying

State = Literal["done", "running", "resumable", "failed", "locked", "broken"]


@dataclass(frozen=True)
class Line:
    """What the command tells of a run."""

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
    other_code: str = ""
    problem: str = ""


def lines_of(outputs: Path, now: float) -> list[Line]:
    """A line for each run under `outputs`, by experiment and then the latest first."""
    found = [line_of(run, now) for run in map(Run, run_folders(outputs))]
    lines: list[Line] = []
    for experiment in sorted({line.experiment for line, _ in found}):
        own = [
            (line, flatten(config), shard_of(config))
            for line, config in found
            if line.experiment == experiment
        ]
        keys = varying([settings for _, settings, _ in own if settings])
        lines += sorted(
            (
                replace(line, overrides={key: flat.get(key) for key in keys if flat} | shard)
                for line, flat, shard in own
            ),
            key=lambda line: (line.updated, line.run_id),
            reverse=True,
        )
    return lines


def shard_of(config: Mapping[str, Any]) -> dict[str, str]:
    """{'shard': '0 of 8'}; {} for a run of the whole grid."""
    count, place = shards.place(config)
    return {} if count == 1 else {"shard": f"{place} of {count}"}


@dataclass(frozen=True)
class Files:
    """What a run's files say.

    Args:
        holder: who works on the run; None where nobody alive does.
        config: {} where it cannot be read.
        status: {} where it cannot be read, or is not written yet.
        broken: what is wrong with files that have no copy, a line each.
        faulty: whether a table is not what was written last.
        notes: what else is wrong, a line each.
    """

    holder: lock.Holder | None
    config: dict[str, Any]
    status: dict[str, Any]
    broken: list[str]
    faulty: bool
    notes: list[str]


def files_of(run: Run, now: float) -> Files:
    """Reads a run's folder. `now` is in seconds since 1970."""
    broken: list[str] = []

    def attempt(read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return read()
        except CorruptRunError as error:
            broken.append(error.fault)
            return {}

    try:
        run.check_folders()
    except CorruptRunError as error:
        return Files(None, {}, {}, [error.fault], False, [])

    holder = lock.read(run.folder / "lock.json")
    held = holder is not None and holder.alive(now)
    config = attempt(run.read_config)
    # A run writes its first status some time after its lock: until then it has none.
    begun = not held or (run.folder / "status.json").exists()
    status = attempt(run.read_status) if begun else {}
    faults = {name: fault for name in TABLES if (fault := fault_of(run, name, status))}
    notes = []
    for name, fault in faults.items():
        if has_fallback(run.folder, name):
            notes.append(f"{name}: {fault}: the copy before it is used")
        else:
            broken.append(f"{name}: {fault}")
    if holder is None and (run.folder / "lock.json").exists():
        notes.append("lock.json: expected a lock, got something else: it is taken over")
    return Files(holder if held else None, config, status, broken, bool(faults), notes)


def line_of(run: Run, now: float) -> tuple[Line, dict[str, Any]]:
    """A run's line, without its overrides, and its config; {} where that cannot be read.

    Args:
        run: whose folder is read.
        now: seconds since 1970.
    """
    files = files_of(run, now)
    status, holder = files.status, files.holder
    state = state_of(status, holder, bool(files.broken), files.faulty)
    done, cells = (_count(status.get(name)) for name in ("done", "cells"))
    pace, left = progress(status, done, cells, now if state == "running" else math.nan)
    codes = other_codes(codes_of(status, done))
    kept = "kept" if files.config.get("keep") == "other_code" else "computed again"
    made = f"{sum(codes.values())} cells made by other code ({by_code(codes)})"
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
        holder.host if holder else "",
        holder.pid if holder else None,
        holder.since if holder else "",
        other_code=f"{made}: {kept} by the same command" if codes else "",
        problem="; ".join([*files.broken, *files.notes]),
    )
    return line, files.config


def state_of(
    status: Mapping[str, Any], holder: lock.Holder | None, broken: bool, faulty: bool
) -> State:
    """How far the run is.

    Args:
        status: what status.json says.
        holder: who works on the run; None where nobody alive does.
        broken: whether a file that has no copy cannot be read.
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


def fault_of(run: Run, name: str, status: Mapping[str, Any]) -> str:
    """What is wrong with a table; rows must be there where cells are done."""
    fault = table_fault(run.folder, name)
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
    seconds: Any = status.get("seconds")
    if not done or not cells or not is_number(seconds) or seconds <= 0:
        return None, None
    pace = done / seconds
    since = now - seconds_of(status.get("updated"))
    left = (cells - done) / pace - (max(0.0, since) if math.isfinite(since) else 0.0)
    return 60.0 * pace, max(0.0, left)


def codes_of(status: Mapping[str, Any], done: int | None) -> dict[str, int]:
    """Code -> how many cells of a run it made; older statuses do not name it."""
    codes = status.get("codes")
    if not isinstance(codes, dict):
        return {UNKNOWN: done} if done else {}
    return {str(code): n for code, n in codes.items() if _count(n)}


def _count(value: Any) -> int | None:
    return value if is_count(value) else None


def seconds_of(moment: Any) -> float:
    """A time in ISO 8601 as seconds since 1970; nan for anything else."""
    try:
        found = datetime.fromisoformat(str(moment))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return math.nan
