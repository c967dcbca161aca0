"""A cell: one point of an experiment's grid, as plain data (names and numbers, no torch).

The key of a cell is a hash of what it asks for. Cells that ask for the same have the same key,
whatever their order and their neighbours. Rows and checkpoints carry the key.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

UNTRAINED = frozenset({"gaussian", "gaussian_copula", "ksg", "mixed", "plugin"})
"""The methods of `mine.methods()` without training: no steps, and a data set of fixed size.

A list beside that of `mine`, because grids are made without torch; a test compares the two.
"""


def untrained(method: str) -> bool:
    """Whether a method, given as 'plugin' or 'plugin(...)', has no training."""
    return method.partition("(")[0] in UNTRAINED


@dataclass(frozen=True)
class Cell:
    """One task, method and seed. It becomes one row, even where it fails.

    Args:
        task: the task's target and fields, `{"_target_": "mine.tasks.CorrelatedGaussian", ...}`.
        method: the method's name, one of `mine.methods()`.
        seed: the seed of the cell's random streams.
        steps: optimiser steps; 0 where nothing is trained.
        n: rows of a fixed data set; 0 for a stream of fresh samples.
        role: the panel that the cell belongs to.
        overrides: what the cell changes in its run's config, group by group:
            `{"train": {"ema_rate": 0.1}, "critic": {"hidden": [64]}}`. The params of its row
            include them. Its data do not depend on them.
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
        """16 hex digits, equal for equal cells in every process and on every machine."""
        asked = dict(vars(self))
        if not self.overrides:  # the key of a cell made before cells had overrides
            del asked["overrides"]
        text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def merged(
    config: Mapping[str, Any], overrides: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The config with the overrides applied to its groups."""
    changed = {group: {**config[group], **values} for group, values in overrides.items()}
    return {**config, **changed}


def gaussian_task(dim: int, nats: float) -> dict[str, Any]:
    """Correlated normals of dimension d with I = nats: rho = sqrt(1 - exp(-2 I / d))."""
    rho = round(math.sqrt(-math.expm1(-2.0 * float(nats) / dim)), 9)
    return {"_target_": "mine.tasks.CorrelatedGaussian", "dim": dim, "rho": rho}


def panel_cells(
    role: str,
    tasks: Iterable[Mapping[str, Any]],
    config: Mapping[str, Any],
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Cell]:
    """The cells of one panel: tasks x methods x seeds.

    A panel `experiment.panels.<role>` has

    - `steps` and `seeds`: factors on `train.steps` and `scale.seeds`;
    - `methods`, optional: the panel's methods in place of the experiment's;
    - `critic`, optional: changes to the critic's config, for trained methods.

    `experiment.n` is the number of rows of a trained method's data set, 0 for a stream. Methods
    without training have `scale.ksg_n` rows; they have `experiment.n` rows too where the overrides
    set it or `estimator.split` is true.
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
        if untrained(method):
            n = n if own_n else int(scale["ksg_n"])
            return Cell(dict(task), method, seed, 0, n, role, changes)
        return Cell(dict(task), method, seed, steps, n, role, {**own_critic, **changes})

    return [
        cell(task, method, seed)
        for task in tasks
        for method in panel.get("methods", experiment["methods"])
        for seed in range(first, first + seeds)
    ]
