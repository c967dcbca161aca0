"""Part 5: the 20-D panel of `gaussian`, and `equitability`, at the scale `paper`.

Cells, seeds and random streams are those of `python -m experiments experiment=... scale=paper`, so
that a run of that gives these estimates. The time of all seeds is foretold from a few steps; where
it is more than there is, fewer seeds are run, and the record says how many.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.cuda import library
from benchmarks.cuda.scales import Panel
from benchmarks.cuda.tasks import Numbers, Setting, Skipped, Task
from mine.critics.mlp import MLP
from mine.tasks import CorrelatedGaussian, NoiseChannel, Warped

DIM, CHANNEL_DIM = 20, 2
LEARNING_RATE = 1e-3
TRAINED = "mine", "mine_f", "dv"
SPARE = 0.8  # of the time that is left: what a forecast may plan with


@dataclass(frozen=True)
class Point:
    """One task of an experiment, by its role there and by what its config says of it."""

    role: str
    config: Mapping[str, Any]

    @property
    def key(self) -> str:
        """What the suite derives the samples from, with the seed."""
        return json.dumps([self.config, self.role], sort_keys=True)

    @property
    def task(self) -> Any:
        return _built(self.config)

    @property
    def label(self) -> str:
        """What tells it from the others of its experiment, as "map cube 0.5"."""
        of = self.config.get("base", self.config)
        values = (str(v) for k, v in of.items() if k not in ("_target_", "dim"))
        return " ".join((self.role, *values))


def _built(config: Mapping[str, Any]) -> Any:
    fields = {name: value for name, value in config.items() if name != "_target_"}
    if "base" in fields:
        return Warped(_built(fields["base"]), map_x=fields["map_x"])
    return CorrelatedGaussian(**fields) if "rho" in fields else NoiseChannel(**fields)


def gaussian_points(panel: Panel) -> list[Point]:
    target = "mine.tasks.CorrelatedGaussian"
    return [Point("high", {"_target_": target, "dim": DIM, "rho": rho}) for rho in panel.rho]


def equitability_points(panel: Panel) -> list[Point]:
    """Each channel as it is, and, where it has noise, seen through its function."""
    channels = [
        {
            "_target_": "mine.tasks.NoiseChannel",
            "function": function,
            "sigma": sigma,
            "dim": CHANNEL_DIM,
        }
        for function in panel.functions
        for sigma in panel.sigma
    ]
    seen = [
        {"_target_": "mine.tasks.Warped", "base": base, "map_x": base["function"]}
        for base in channels
        if float(base["sigma"]) > 0
    ]
    return [*(Point("map", c) for c in channels), *(Point("self", c) for c in seen)]


def gaussian_jobs(panel: Panel, method: str, seeds: int) -> list[Any]:
    """Of all points and seeds, point by point."""
    trained = method in TRAINED
    training = _training(panel, panel.gaussian_steps if trained else panel.steps)
    network = MLP(panel.wide if trained else panel.hidden)
    n = 0 if trained else panel.ksg_n
    return [
        library.panel_job(p.task, method, s, p.key, network, n, panel.n_test, **training)
        for p in gaussian_points(panel)
        for s in range(seeds)
    ]


def equitability_jobs(panel: Panel, seeds: int) -> list[Any]:
    """Of all points and seeds, point by point."""
    training, network = _training(panel, panel.equitability_steps), MLP(panel.hidden, "relu")
    return [
        library.panel_job(p.task, "mine", s, p.key, network, 0, panel.n_test, **training)
        for p in equitability_points(panel)
        for s in range(seeds)
    ]


def _training(panel: Panel, steps: int) -> Numbers:
    return {"steps": steps, "batch_size": panel.batch, "learning_rate": LEARNING_RATE}


# ------------------------------------------------------------------------- tasks


def gaussian(setting: Setting) -> list[Task]:
    """MINE and KSG before what they are not compared with."""
    panel = setting.scale.panel
    points = gaussian_points(panel)
    return [
        Task(f"20-D {method}", partial(run_panel, points, partial(gaussian_jobs, panel, method)))
        for method in ("mine", "ksg", "mine_f", "dv")
    ]


def equitability(setting: Setting) -> list[Task]:
    panel = setting.scale.panel
    points = equitability_points(panel)
    return [Task("map and self", partial(run_panel, points, partial(equitability_jobs, panel)))]


def run_panel(
    points: Sequence[Point], jobs_of: Callable[[int], list[Any]], setting: Setting
) -> Numbers:
    """All points with as many seeds as there is time for: each point's estimates and truth."""
    asked = setting.scale.panel.seeds
    seeds, foretold = _affordable(asked, jobs_of, setting)
    if not seeds:
        raise Skipped(f"one seed would take {foretold:.0f} s, {setting.left():.0f} s are left")
    jobs, began = jobs_of(seeds), time.perf_counter()
    ran = library.run_jobs(jobs, setting.device, began + setting.left())
    seconds = time.perf_counter() - began
    rows = [
        _row(point, *(of[i * seeds : (i + 1) * seeds] for of in (ran.nats, ran.train_nats)))
        for i, point in enumerate(points)
    ]
    return {
        "seeds": seeds,
        "of_seeds": asked,
        "foretold_s": foretold,
        "run_s": seconds,
        "networks": len(jobs),
        "network_steps_per_s": sum(ran.steps) / seconds,
        "stopped_at_step": min(ran.steps) if ran.stopped else None,
        "reasons": ran.reasons,
        **_summary(rows),
        "points": rows,
    }


def _affordable(
    asked: int, jobs_of: Callable[[int], list[Any]], setting: Setting
) -> tuple[int, float]:
    """How many seeds fit into what is left, and the seconds that they take."""
    jobs = jobs_of(asked)
    if jobs[0].network_steps == 0:  # nothing is trained: a stop between two jobs is soon enough
        return asked, math.nan
    seconds = min(2.0, setting.scale.seconds)
    set_up, per_step = library.pace(jobs, setting.device, seconds)
    whole = set_up + per_step * jobs[0].network_steps
    seeds = min(asked, int(asked * SPARE * setting.left() / whole))
    return seeds, whole * max(seeds, 1) / asked


def _row(point: Point, nats: Sequence[float], train_nats: Sequence[float]) -> Numbers:
    truth, found = float(point.task.mi), np.array(nats)
    found = found[np.isfinite(found)]
    mean = float(found.mean()) if len(found) else math.nan
    return {
        "point": point.label,
        "truth": truth,
        "mean": mean,
        "error": mean - truth,
        "sd": float(found.std(ddof=1)) if len(found) > 1 else math.nan,
        "nats": list(nats),
        "train_nats": list(train_nats),
    }


def _summary(rows: Sequence[Numbers]) -> Numbers:
    """Over the points of a finite truth: the mean and the largest |mean error|, and the RMSE."""
    errors = np.array([row["error"] for row in rows])
    each = np.array([v - row["truth"] for row in rows for v in row["nats"]])
    errors, each = np.abs(errors[np.isfinite(errors)]), each[np.isfinite(each)]
    if not len(errors):
        return {"mean_error": math.nan, "largest_error": math.nan, "rmse": math.nan}
    return {
        "mean_error": float(errors.mean()),
        "largest_error": float(errors.max()),
        "rmse": float(np.sqrt((each**2).mean())),
    }
