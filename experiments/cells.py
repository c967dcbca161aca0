"""A cell: one point of an experiment's grid, as plain data (names and numbers, no torch).

The key of a cell is a hash of what it asks for: a cell that is asked for again, in whatever order
and beside whatever neighbours, is the same cell, and its row and its checkpoint carry the key.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

UNTRAINED = frozenset({"ksg"})
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
    """

    task: dict[str, Any]
    method: str
    seed: int
    steps: int
    n: int = 0
    role: str = ""

    @property
    def key(self) -> str:
        """16 hex digits, the same for equal cells in every process and on every machine."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def panel_cells(
    role: str, tasks: Iterable[Mapping[str, Any]], config: Mapping[str, Any]
) -> list[Cell]:
    """The cells of one panel: tasks x methods x seeds, at the panel's share of the budget.

    `experiment.panels.<role>.steps` and `.seeds` are factors on `train.steps` and `scale.seeds`;
    `experiment.n` is the rows of the networks' data sets, 0 for streams.
    """
    experiment, scale = config["experiment"], config["scale"]
    panel = experiment["panels"][role]
    first = int(experiment.get("first_seed", 0))
    seeds = math.ceil(round(float(scale["seeds"]) * float(panel["seeds"]), 9))
    steps = round(float(config["train"]["steps"]) * float(panel["steps"]))

    def cell(task: Mapping[str, Any], method: str, seed: int) -> Cell:
        if method in UNTRAINED:
            return Cell(dict(task), method, seed, 0, int(scale["ksg_n"]), role)
        return Cell(dict(task), method, seed, steps, int(experiment.get("n", 0)), role)

    return [
        cell(task, method, seed)
        for task in tasks
        for method in experiment["methods"]
        for seed in range(first, first + seeds)
    ]
