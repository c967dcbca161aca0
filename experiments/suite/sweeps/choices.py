"""Which setting of a sweep would be chosen without the truth.

The truth judges settings and never chooses one. `choose` knows two criteria, and neither reads it:

- *value*: the highest mean estimate on held-out samples. The estimates are lower bounds, so the
  highest is the tightest; but a critic that blows up reports any number, so a value above
  ln n_test counts as ln n_test (no more can be certified from n_test samples: McAllester and
  Stratos 2020, https://arxiv.org/abs/1811.04251);
- *stability*: the smallest standard deviation over seeds, averaged over tasks.

Both choose among the settings that have every cell and lost none to divergence or failure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from experiments.suite.sweeps.measures import CELL, measures, moved_parts
from experiments.suite.sweeps.sweep import Sweep

if TYPE_CHECKING:
    import pandas as pd

Criterion = Literal["value", "stability"]
CRITERIA: tuple[Criterion, ...] = ("value", "stability")


@dataclass(frozen=True)
class Choice:
    """What one criterion chooses for a role and method.

    Args:
        setting: positions on the axes; None where nothing can be chosen, and `reason` says why.
        score: what the criterion read there, in nats: the mean held-out value, or the spread.
        error: the mean |error| there, which the criterion did not read.
        nearest: the setting of the least mean |error|, which only the truth tells.
        least: the mean |error| there.
        candidates: the number of settings that the criterion chose from.
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


def choices(sweep: Sweep, rows: pd.DataFrame) -> list[Choice]:
    """For each role and method that the settings move, what each criterion chooses."""
    return [
        choose(part, sweep.keys, criterion)
        for _, part in moved_parts(sweep.table(rows))
        for criterion in CRITERIA
    ]


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
    """What a criterion reads of each setting, in nats. The truth is dropped first."""
    blind = table.drop(columns="truth")
    if criterion == "stability":
        return measures(blind.assign(truth=0.0), keys).set_index(list(keys))["spread"]
    certified = np.log(np.maximum(blind["n_test"].to_numpy(dtype=float), 1.0))
    capped = blind.assign(value=np.minimum(blind["nats"], certified))
    return capped.groupby(list(keys), observed=True)["value"].mean()


def _place(index: Any) -> tuple[int, ...]:
    return tuple(map(int, index)) if isinstance(index, tuple) else (int(index),)
