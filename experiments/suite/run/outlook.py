"""What runs will take, said before any of them begins: no run is begun or written to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.suite.claims.wording import duration
from experiments.suite.run.computing import by_forecast
from experiments.suite.run.jobs import fetch, prepare
from experiments.suite.run.progress import Progress
from experiments.suite.run.running import cap_threads
from experiments.suite.store.identity import run_id
from experiments.suite.store.runs import Run

FLAG = "--forecast"
LIMIT = 1.0
"""Seconds after which no further kind of stack of an experiment is tried: a sweep has many."""
HINT = (
    "To leave some out, name the others: EXPERIMENTS=... for make, experiment=... here. Ctrl-C "
    "stops; the same command goes on from there."
)


@dataclass(frozen=True)
class Outlook:
    """What a run has still to do.

    Attributes:
        experiment: its name.
        cells: how many have no row yet.
        steps: their network-steps, at most.
        seconds: about how long they take; nan where trying them failed.
    """

    experiment: str
    cells: int
    steps: int
    seconds: float

    def __str__(self) -> str:
        took = (
            f"about {duration(self.seconds, 'whole')}"
            if math.isfinite(self.seconds)
            else "unknown"
        )
        time_left = took if self.cells else "finished before"
        return f"{self.experiment:<18}{self.cells:>8,}{self.steps:>16,}   {time_left}"


HEADER = f"{'experiment':<18}{'cells':>8}{'network-steps':>16}   time"


def outlook_of(config: Mapping[str, Any], limit: float = LIMIT) -> Outlook:
    """What the run of a resolved config has still to do.

    Raises:
        ValueError: the config cannot be run.
    """
    from mine.running.devices import resolve_device

    cap_threads(config.get("threads"))
    cells, jobs = prepare(config)
    device = str(resolve_device(str(config["device"])))
    name = str(config["experiment"]["name"])
    run = Run(Path(str(config["outputs"])) / name / run_id(config))
    missing = Progress.resume(run, cells, config, "").missing
    fetch(jobs[i] for i in missing)
    left = [jobs[i] for i in missing]
    steps = sum(job.network_steps for job in left)
    return Outlook(name, len(left), steps, seconds_of(left, device, limit))


def seconds_of(jobs: Sequence[Any], device: str, limit: float) -> float:
    """About how long the jobs take; nan where trying them raises."""
    from mine.running.plan import plan

    try:
        return by_forecast(jobs, plan(jobs, device), device, limit)[1]
    except Exception:  # the row of the cell that raised will say why
        return math.nan


def total(outlooks: Sequence[Outlook]) -> str:
    """All of a sweep in one line, and what to do about it."""
    known = [one.seconds for one in outlooks if math.isfinite(one.seconds)]
    lacking = " and what is unknown" if len(known) < len(outlooks) else ""
    cells, steps = (sum(getattr(o, name) for o in outlooks) for name in ("cells", "steps"))
    if not cells:
        return "Nothing is left to do."
    whole = f"about {duration(sum(known), 'whole')}{lacking}"
    return f"{'all':<18}{cells:>8,}{steps:>16,}   {whole}\n{HINT}"
