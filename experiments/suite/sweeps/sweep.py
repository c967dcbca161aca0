"""A sweep: runs of one experiment that differ in their settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.rows import without_probed_truths
from experiments.suite.store.serialising import canonical_json
from experiments.suite.sweeps.axes import Axis, Config, Settings, axes_of, flatten, show, text_of
from experiments.suite.sweeps.commands import merged
from experiments.suite.sweeps.measures import CELL

if TYPE_CHECKING:
    import pandas as pd

SPLITTING = ("experiment.", "scale.", "version")
"""Runs that differ in these have other cells or budgets; see `split`."""


@dataclass(frozen=True)
class SweptRun:
    """What a sweep needs of a run."""

    run_id: str
    config: Config
    command: str = ""
    version: str = ""

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Dotted key -> value of the config, and the package's version: the run's id has both."""
        return {**flatten(self.config), "version": self.version}


@dataclass(frozen=True)
class Sweep:
    """Runs of one experiment that differ in their settings."""

    experiment: str
    runs: tuple[SweptRun, ...]
    axes: tuple[Axis, ...]

    @classmethod
    def of(cls, experiment: str, runs: Sequence[SweptRun]) -> Sweep:
        return cls(experiment, tuple(runs), tuple(axes_of([run.settings for run in runs])))

    @cached_property
    def settings(self) -> dict[str, tuple[int, ...]]:
        """Run id -> the position of its value on each axis."""
        places = [
            {text_of({axis.key: value}, axis.key): i for i, value in enumerate(axis.values)}
            for axis in self.axes
        ]

        def at(settings: Settings) -> tuple[int, ...]:
            pairs = zip(self.axes, places, strict=True)
            return tuple(place[text_of(settings, axis.key)] for axis, place in pairs)

        return {run.run_id: at(run.settings) for run in self.runs}

    @property
    def size(self) -> int:
        """The number of settings."""
        return len(set(self.settings.values()))

    @property
    def complete(self) -> bool:
        """Whether every combination of the axes' values is there."""
        return self.size == math.prod(axis.size for axis in self.axes)

    @property
    def title(self) -> str:
        return " × ".join(self.keys)

    @property
    def keys(self) -> list[str]:
        return [axis.key for axis in self.axes]

    @property
    def commands(self) -> list[str]:
        """What runs it again: one command for a grid, else one for each run."""
        return merged([run.command for run in self.runs])

    def name(self, setting: Sequence[int]) -> str:
        """'learning rate .001, ema rate .1'."""
        pairs = zip(self.axes, setting, strict=True)
        return ", ".join(f"{axis.short} {show(axis.values[at])}" for axis, at in pairs)

    def table(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of these runs, with a column for each axis: the position of the run's value.

        A cell counts once for each setting: a whole run and its shards hold the same cells.
        """
        places = self.settings
        rows = rows[rows["run_id"].isin(list(places))]
        at = np.array([places[str(one)] for one in rows["run_id"]], dtype=int)
        columns = {axis.key: at.reshape(len(rows), -1)[:, i] for i, axis in enumerate(self.axes)}
        kept = rows.assign(**columns).drop_duplicates([*self.keys, *CELL], keep="last")
        return without_probed_truths(kept)


def split(experiment: str, runs: Sequence[SweptRun]) -> list[Sweep]:
    """The sweeps among the runs of an experiment.

    Runs that fill a whole grid are one sweep, where cells and scale are fixed or are axes.
    Otherwise the runs with the same cells and the same scale make a sweep, whose settings can be
    compared cell by cell. Where no two runs have the same cells, all runs are one sweep.
    """
    together = Sweep.of(experiment, runs)
    if not together.axes:
        return []
    apart = [sweep for group in _same_cells(runs) if (sweep := Sweep.of(experiment, group)).axes]
    whole = together.complete and not _mixed(together)
    return [together] if whole or not apart else apart


def _same_cells(runs: Sequence[SweptRun]) -> list[list[SweptRun]]:
    """The runs, grouped by what they are asked for."""
    groups: dict[str, list[SweptRun]] = {}
    for run in runs:
        asked = {k: v for k, v in run.settings.items() if k.startswith(SPLITTING)}
        groups.setdefault(canonical_json(asked), []).append(run)
    return list(groups.values())


def _mixed(sweep: Sweep) -> bool:
    """Whether the cells or the scale change along with a setting."""
    return any(
        key.startswith(SPLITTING)
        for axis in sweep.axes
        for key in axis.tied
        if not axis.key.startswith(SPLITTING)
    )
