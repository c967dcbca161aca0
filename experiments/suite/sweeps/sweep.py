"""Reading a sweep: which settings varied, what each of them gave, and which one would be chosen.

A *setting* is what a run was given besides its cells: the values of all config keys that vary
between the runs. Keys that vary together make one *axis*, named by the first of them.

The truth judges settings and never chooses one. `choose` knows two criteria, and neither reads it:

- *value*: the highest mean estimate on held-out samples. The estimates are lower bounds, so the
  highest is the tightest; but a critic that blows up reports any number, so a value above
  ln n_test counts as ln n_test (no more can be certified from n_test samples: McAllester and
  Stratos 2020, https://arxiv.org/abs/1811.04251);
- *stability*: the smallest standard deviation over seeds, averaged over tasks.

Both choose among the settings that have every cell and lost none to divergence or failure.
All errors are estimate - truth in nats, over the cells that gave an estimate of a finite truth;
where no truth is known there are none, and the criteria choose all the same.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from experiments.suite.claims.intervals import bootstrap_interval
from experiments.suite.figures import style as marks
from experiments.suite.store.runs import IGNORED_KEYS, canonical_json

if TYPE_CHECKING:
    import pandas as pd

Config = Mapping[str, Any]
Criterion = Literal["value", "stability"]
CRITERIA: tuple[Criterion, ...] = ("value", "stability")

NOT_SETTINGS = IGNORED_KEYS | {"device", "shard", "shards"}
"""Top-level keys of a config that say where and how it is run, not what is asked."""
SPLITTING = ("experiment.", "scale.", "version")
"""Runs that differ in these have other cells or budgets; see `split`."""
CELL = ["role", "task", "params", "method", "seed"]
"""What makes two settings' cells comparable; a cell's key holds its steps as well."""
COLUMNS = ["run_id", *CELL, "n_test", "steps", "nats", "truth", "seconds", "status"]
"""The columns of the rows that this module reads."""


# Which settings varied


@dataclass(frozen=True)
class Asked:
    """A run as far as a sweep is concerned."""

    run_id: str
    config: Config
    command: str = ""
    version: str = ""

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Dotted key -> value of the config, and the package's version, which is in the id too."""
        return {**flatten(self.config), "version": self.version}


@dataclass(frozen=True)
class Axis:
    """Keys that vary together, and the values of the first of them, sorted, each once."""

    key: str
    values: tuple[Any, ...]
    tied: tuple[str, ...] = ()

    @cached_property
    def numeric(self) -> bool:
        return all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values)

    @cached_property
    def logarithmic(self) -> bool:
        """Whether the values span so much that a linear axis would hide most of them."""
        return self.numeric and min(self.values) > 0 and max(self.values) >= 8 * min(self.values)

    @cached_property
    def labels(self) -> list[str]:
        return [show(value) for value in self.values]

    @property
    def short(self) -> str:
        """'learning rate' for train.learning_rate."""
        return self.key.rpartition(".")[2].replace("_", " ")

    @cached_property
    def places(self) -> list[float]:
        """Where the values stand on a drawn axis."""
        return [float(v) for v in self.values] if self.numeric else [*map(float, range(self.size))]

    @property
    def size(self) -> int:
        return len(self.values)


def flatten(config: Config, prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value, in the config's order; lists are values."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if not prefix and key in NOT_SETTINGS:
            continue
        if isinstance(value, Mapping) and value:
            found |= flatten(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def varying(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys whose values differ; a key that is not there counts as null."""
    keys = dict.fromkeys(key for one in settings for key in one)
    texts = {key: {_text(one, key) for one in settings} for key in keys}
    return [key for key in keys if len(texts[key]) > 1]


def axes_of(settings: Sequence[Mapping[str, Any]]) -> list[Axis]:
    """The varying keys as axes: a key that another one decides is tied to that one.

    Of keys that decide each other the first stands for all, but for `*.name` before it, which is
    how the preset of a group is called.
    """
    keys = sorted(varying(settings), key=lambda key: not key.endswith(".name"))
    texts = {key: [_text(one, key) for one in settings] for key in keys}
    finest = sorted(keys, key=lambda key: -len(set(texts[key])))
    owner: dict[str, str] = {}
    for key in finest:
        heads = [head for head, of in owner.items() if head == of]
        deciding = (head for head in heads if decides(texts[head], texts[key]))
        owner[key] = next(deciding, key)
    order = varying(settings)
    return [
        Axis(
            head,
            tuple(
                sorted({_text(one, head): one.get(head) for one in settings}.values(), key=rank)
            ),
            tuple(key for key in order if owner[key] == head and key != head),
        )
        for head in order
        if owner[head] == head
    ]


def decides(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the value of one key gives that of the other, in every run."""
    return len(set(zip(one, other, strict=True))) == len(set(one))


def rank(value: Any) -> tuple[Any, ...]:
    """Sorts values of any kind: none, switches, numbers, text, lists."""
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return (1, value)
    if isinstance(value, int | float):
        return (2, value)
    if isinstance(value, list):
        return (4, *map(rank, value))
    return (3, str(value))


def show(value: Any) -> str:
    """A value as it is printed: '.001', '64 × 64', 'elu', '–' where the key is not there."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return marks.short(f"{value:g}")
    if isinstance(value, list):
        return " × ".join(map(show, value)) if value else "[]"
    return str(value)


def _text(one: Mapping[str, Any], key: str) -> str:
    return canonical_json(one.get(key))


# A sweep


@dataclass(frozen=True)
class Sweep:
    """Runs of one experiment that differ in their settings."""

    experiment: str
    runs: tuple[Asked, ...]
    axes: tuple[Axis, ...]

    @classmethod
    def of(cls, experiment: str, runs: Sequence[Asked]) -> Sweep:
        return cls(experiment, tuple(runs), tuple(axes_of([run.settings for run in runs])))

    @cached_property
    def settings(self) -> dict[str, tuple[int, ...]]:
        """Run id -> the position of its value on each axis."""
        places = [
            {_text({axis.key: value}, axis.key): i for i, value in enumerate(axis.values)}
            for axis in self.axes
        ]

        def at(settings: Mapping[str, Any]) -> tuple[int, ...]:
            return tuple(
                place[_text(settings, axis.key)]
                for axis, place in zip(self.axes, places, strict=True)
            )

        return {run.run_id: at(run.settings) for run in self.runs}

    @property
    def complete(self) -> bool:
        """Whether every combination of the axes' values is there."""
        return len(set(self.settings.values())) == math.prod(axis.size for axis in self.axes)

    @property
    def title(self) -> str:
        return " × ".join(axis.key for axis in self.axes)

    def name(self, setting: Sequence[int]) -> str:
        """'learning rate .001, ema rate .1'."""
        pairs = zip(self.axes, setting, strict=True)
        return ", ".join(f"{axis.short} {show(axis.values[at])}" for axis, at in pairs)

    def table(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of these runs, with a column for each axis: the position of the run's value."""
        places = self.settings
        rows = rows[rows["run_id"].isin(list(places))]
        at = np.array([places[str(one)] for one in rows["run_id"]], dtype=int)
        columns = {axis.key: at.reshape(len(rows), -1)[:, i] for i, axis in enumerate(self.axes)}
        return rows.assign(**columns)

    @property
    def keys(self) -> list[str]:
        return [axis.key for axis in self.axes]

    @property
    def commands(self) -> list[str]:
        """What runs it again: one command for a grid, else one for each run."""
        return merged([run.command for run in self.runs])


def split(experiment: str, runs: Sequence[Asked]) -> list[Sweep]:
    """The sweeps among the runs of an experiment.

    Runs that fill a whole grid are one sweep, where cells and scale are fixed or axes of their
    own. Otherwise those that ask for the same cells at the same scale belong together, and the
    settings of one sweep can be compared cell by cell; where no two of them do, all runs are one
    sweep.
    """
    together = Sweep.of(experiment, runs)
    groups: dict[str, list[Asked]] = {}
    for run in runs:
        asked = {k: v for k, v in run.settings.items() if k.startswith(SPLITTING)}
        groups.setdefault(canonical_json(asked), []).append(run)
    apart = [one for group in groups.values() if (one := Sweep.of(experiment, group)).axes]
    if not together.axes:
        return []
    mixed = any(
        key.startswith(SPLITTING)
        for axis in together.axes
        for key in axis.tied
        if not axis.key.startswith(SPLITTING)
    )
    return [together] if not apart or (together.complete and not mixed) else apart


def merged(commands: Iterable[str]) -> list[str]:
    """One command with `-m` that stands for all of these; they themselves where there is none."""
    several = sorted(set(commands) - {""})
    if len(several) < 2:
        return several
    try:
        words = [_words(command) for command in several]
    except ValueError:  # an unclosed quotation
        return several
    first, keys = words[0], list(words[0])
    if any(set(one) != set(keys) for one in words):
        return several
    values = {key: list(dict.fromkeys(one[key] for one in words)) for key in keys}
    if math.prod(map(len, values.values())) != len(several):
        return several
    options = [
        f"{key}={','.join(sorted(found, key=_order))}" if first[key] is not None else key
        for key in keys
        for found in [[value for value in values[key] if value is not None]]
    ]
    start = shlex.split(several[0])[:3]
    return [shlex.join([*start, "-m", *options])]


def _words(command: str) -> dict[str, str | None]:
    """The overrides of `python -m experiments ...`: key -> value, None for one without '='."""
    pairs = (word.partition("=") for word in shlex.split(command)[3:])
    return {key: value if mark else None for key, mark, value in pairs}


def _order(text: str) -> tuple[Any, ...]:
    try:
        return rank(json.loads(text))
    except ValueError:
        return rank(text)


# What each setting gave


def measures(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """One line per group of a sweep's table.

    Columns: those of `by`; error (mean |error|), bias (mean error), rmse, spread (standard
    deviation over seeds, averaged over tasks; nan where no task has two), in nats; seconds (mean a
    cell), total (of all cells); and the counts cells, ok, diverged, failed.
    """
    import pandas as pd

    by = list(by)
    error = table["nats"] - table["truth"]
    usable = (table["status"] == "ok") & np.isfinite(error)
    status = table["status"].astype("str")
    lines = table.assign(
        error=error.abs().where(usable),
        bias=error.where(usable),
        rmse=(error**2).where(usable),
        total=table["seconds"],
        cells=1,
        **{one: (status == one).astype(int) for one in ("ok", "diverged", "failed")},
    )
    mean = dict.fromkeys(("error", "bias", "rmse", "seconds"), "mean")
    count = dict.fromkeys(("total", "cells", "ok", "diverged", "failed"), "sum")
    found = lines.groupby(by, observed=True, dropna=False).agg({**mean, **count})
    found["rmse"] = np.sqrt(found["rmse"])
    tasks = [*by, *(name for name in ("role", "task", "params", "method") if name not in by)]
    over_seeds = table[table["status"] == "ok"].groupby(tasks, observed=True)["nats"].std()
    spread = over_seeds.groupby(level=by).mean() if len(over_seeds) else over_seeds
    found["spread"] = spread.reindex(found.index) if len(spread) else math.nan
    order = [*mean, "spread", *count]
    return pd.DataFrame(found[order].reset_index())


def error_interval(table: pd.DataFrame, keys: Sequence[str]) -> tuple[float, float]:
    """95 % bootstrap interval of the mean |error|: seeds are drawn anew within each cell.

    Args:
        table: rows of a sweep's table.
        keys: the columns of its axes; a cell of the grid is a task, method and setting.

    Returns:
        The interval's ends in nats; (nan, nan) where no cell has two seeds.
    """
    kept = table[table["status"] == "ok"]
    error = (kept["nats"] - kept["truth"]).abs()
    names = [*keys, *(name for name in CELL if name != "seed")]
    grouped = error[np.isfinite(error)].groupby([kept[name] for name in names], observed=True)
    groups = [one.to_numpy(dtype=float) for _, one in grouped]
    if not any(len(group) > 1 for group in groups):
        return math.nan, math.nan
    weights = np.array([len(group) for group in groups]) / sum(map(len, groups))

    def mean(drawn: Sequence[Any]) -> Any:
        return sum(weight * one.mean(-1) for weight, one in zip(weights, drawn, strict=True))

    return bootstrap_interval(groups, mean)


def moved(table: pd.DataFrame) -> bool:
    """Whether the settings change any estimate of these rows; so too where none share a cell."""
    values = table.groupby(CELL, observed=True)["nats"].agg(["size", "nunique"])
    lost = table["nats"].isna().groupby([table[name] for name in CELL], observed=True).any()
    differ = (values["nunique"] + lost.to_numpy()) > 1
    return bool(differ.any() or (values["size"] == 1).all())


# Which setting would be chosen, without the truth


@dataclass(frozen=True)
class Choice:
    """What one criterion makes of a role and method.

    Args:
        setting: positions on the axes; None where nothing can be chosen, and `reason` says why.
        score: what the criterion read there, in nats: the mean held-out value, or the spread.
        error: the mean |error| there, which the choice did not know.
        nearest: the setting of the least mean |error|, which only the truth tells.
        least: the mean |error| there.
        candidates: the settings that the criterion chose from.
    """

    role: str
    method: str
    criterion: Criterion
    setting: tuple[int, ...] | None
    score: float = math.nan
    error: float = math.nan
    nearest: tuple[int, ...] | None = None
    least: float = math.nan
    candidates: int = 0
    reason: str = ""


def choose(table: pd.DataFrame, keys: Sequence[str], criterion: Criterion) -> Choice:
    """The setting that `criterion` picks from the rows of one role and method."""
    keys = list(keys)
    role, method = str(table["role"].iloc[0]), str(table["method"].iloc[0])

    def none(reason: str, candidates: int = 0) -> Choice:
        return Choice(role, method, criterion, None, candidates=candidates, reason=reason)

    cells = len(table[CELL].drop_duplicates())
    lines = measures(table, keys).set_index(keys)
    whole = lines[lines["cells"] == cells]
    if whole.empty:
        return none("the settings have no common set of cells, so none can be compared")
    fit = whole[whole["ok"] == cells]
    if fit.empty:
        return none("every setting lost a cell to divergence or failure")
    score = scores(table, keys, criterion).reindex(fit.index)
    if score.isna().all():
        return none("one seed has no spread", len(fit))
    best = score.idxmax() if criterion == "value" else score.idxmin()
    nearest = fit["error"].idxmin() if fit["error"].notna().any() else None
    return Choice(
        role,
        method,
        criterion,
        _place(best),
        float(score[best]),
        float(fit["error"][best]),
        None if nearest is None else _place(nearest),
        math.nan if nearest is None else float(fit["error"][nearest]),
        len(fit),
    )


def scores(table: pd.DataFrame, keys: Sequence[str], criterion: Criterion) -> pd.Series:
    """What a criterion reads of each setting, in nats. The truth is not among what it is given."""
    blind = table.drop(columns="truth")
    if criterion == "stability":
        return measures(blind.assign(truth=0.0), keys).set_index(list(keys))["spread"]
    certified = np.log(np.maximum(blind["n_test"].to_numpy(dtype=float), 1.0))
    capped = blind.assign(value=np.minimum(blind["nats"], certified))
    return capped.groupby(list(keys), observed=True)["value"].mean()


def _place(index: Any) -> tuple[int, ...]:
    return tuple(map(int, index)) if isinstance(index, tuple) else (int(index),)


def choices(sweep: Sweep, rows: pd.DataFrame) -> list[Choice]:
    """For each role and method that the settings move, what each criterion chooses."""
    return [
        choose(group, sweep.keys, criterion)
        for _, group in parts(sweep.table(rows))
        if moved(group)
        for criterion in CRITERIA
    ]


def parts(table: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """((role, method), rows), roles in the order of the rows and methods in the palette's."""
    methods = marks.order({str(one) for one in table["method"].unique()})
    return [
        ((str(role), method), group)
        for role in table["role"].unique()
        for method in methods
        if len(group := table[(table["role"] == role) & (table["method"] == method)])
    ]
