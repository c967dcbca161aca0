"""A cell: one point of an experiment's grid, as plain data (names and numbers, no torch).

The key of a cell is a hash of what it asks for: a cell that is asked for again, in whatever order
and beside whatever neighbours, is the same cell, and its row and its checkpoint carry the key.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

UNTRAINED = frozenset({"ksg", "gaussian", "gaussian_copula"})
"""Methods without a network: no optimiser steps, a data set of fixed size, not a stream."""


@dataclass(frozen=True)
class Cell:
    """One task x method x seed; it becomes one row, whatever happens to it.

    Args:
        task: the task's target and fields, `{"_target_": "mine.tasks.CorrelatedGaussian", ...}`.
        method: the estimator's name, one of `mine.methods()`.
        seed: names the cell's random streams, together with its key.
        steps: optimiser steps; 0 where nothing is trained.
        n: rows of a fixed data set; 0 for a stream of fresh samples.
        role: the panel or figure that the cell serves.
        overrides: what the cell changes in its run's config, group by group:
            `{"train": {"ema_rate": 0.1}, "critic": {"hidden": [64]}}`. Its row has them among
            its params; its data do not depend on them.
    """

    task: dict[str, Any]
    method: str
    seed: int
    steps: int
    n: int = 0
    role: str = ""
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """16 hex digits, the same for equal cells in every process and on every machine."""
        asked = dict(vars(self))
        if not self.overrides:  # as where nothing is said of overrides
            del asked["overrides"]
        text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def merged(
    config: Mapping[str, Any], overrides: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The config with what the overrides change in its groups."""
    changed = {group: {**config[group], **values} for group, values in overrides.items()}
    return {**config, **changed}


def gaussian_task(dim: int, nats: float) -> dict[str, Any]:
    """Correlated normals of that dimension with I = nats: rho = sqrt(1 - exp(-2 I / d))."""
    rho = round(math.sqrt(-math.expm1(-2.0 * float(nats) / dim)), 9)
    return {"_target_": "mine.tasks.CorrelatedGaussian", "dim": dim, "rho": rho}


def panel_cells(
    role: str,
    tasks: Iterable[Mapping[str, Any]],
    config: Mapping[str, Any],
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Cell]:
    """The cells of one panel: tasks x methods x seeds, at the panel's share of the budget.

    `experiment.panels.<role>.steps` and `.seeds` are factors on `train.steps` and `scale.seeds`,
    `.methods` is the panel's choice among the experiment's, and `.critic` what its networks have
    in place of the run's; `experiment.n` is the rows of the networks' data sets, 0 for streams.
    Where the overrides set it, and where `estimator.split` says that rows are one's own, it holds
    for every method.
    """
    changes = {group: dict(values) for group, values in (overrides or {}).items()}
    config = merged(config, changes)
    experiment, scale = config["experiment"], config["scale"]
    own_n = "n" in changes.get("experiment", {})
    own_n = own_n or bool(config.get("estimator", {}).get("split", False))
    panel = experiment["panels"][role]
    own_critic = {"critic": dict(panel["critic"])} if panel.get("critic") else {}
    first = int(experiment.get("first_seed", 0))
    seeds = math.ceil(round(float(scale["seeds"]) * float(panel["seeds"]), 9))
    steps = round(float(config["train"]["steps"]) * float(panel["steps"]))

    def cell(task: Mapping[str, Any], method: str, seed: int) -> Cell:
        n = int(experiment.get("n", 0))
        if method in UNTRAINED:
            n = n if own_n else int(scale["ksg_n"])
            return Cell(dict(task), method, seed, 0, n, role, changes)
        return Cell(dict(task), method, seed, steps, n, role, {**own_critic, **changes})

    return [
        cell(task, method, seed)
        for task in tasks
        for method in panel.get("methods", experiment["methods"])
        for seed in range(first, first + seeds)
    ]
