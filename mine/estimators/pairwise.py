"""Mutual information of all pairs of a table's columns, or of all with one target, in one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mine.data.torch_defaults import with_usual_defaults
from mine.estimators.own_job import own_job
from mine.estimators.requests import Request, estimates_of
from mine.estimators.rows import Rows, as_pair, as_rows, check_paired, check_varying, columns_of
from mine.estimators.suited import discrete_sides, pair_method
from mine.running.estimates import Estimate

if TYPE_CHECKING:
    import pandas as pd

Matrix = NDArray[np.float64]
TARGET = "target"  # the name of a target that has none
SMALL: Mapping[str, Any] = {
    "hidden": (48, 48), "activation": "relu",
    "steps": 1000, "batch_size": 128, "learning_rate": 5e-3,
}  # fmt: skip
"""How pairs of single columns are trained, where there are many: docs/own-data.md says what that
costs and what it keeps."""


@dataclass(frozen=True, eq=False)
class Pairwise:
    """The mutual information of pairs of columns.

    Attributes:
        names: the names of the d columns. A target that is no column of the table comes last.
        nats: (d, d), symmetric; nan on the diagonal and for pairs that were not asked for.
        stderr: (d, d), the standard errors; nan where ``nats`` is.
        estimates: (name, name) -> the estimate: each pair once, in the order of ``names``.
    """

    names: tuple[str, ...]
    nats: Matrix
    stderr: Matrix
    estimates: Mapping[tuple[str, str], Estimate] = field(repr=False)

    def frame(self) -> pd.DataFrame:
        """``nats`` as a pandas data frame with names."""
        import pandas as pd

        return pd.DataFrame(self.nats, index=list(self.names), columns=list(self.names))


@with_usual_defaults
def pairwise(
    table: Any,
    target: Any = None,
    method: str | None = None,
    seed: int = 0,
    device: str = "auto",
    preprocess: str | None = None,
    null: int = 0,
    **overrides: Any,
) -> Pairwise:
    """The mutual information of all pairs of columns, in nats. Pairs of one shape share a stack.

    >>> m = mine.pairwise(table)                    # all pairs
    >>> m = mine.pairwise(table, target="age")      # every other column and this one
    >>> m.names, m.nats, m.estimates["height", "age"].warnings

    Each pair is what `mine.estimate` gives for its two columns with a smaller network and fewer
    steps, `mine.estimators.pairwise.SMALL`; overrides go before these. A column of categories is
    one column, however many levels it has. Where no method is named, a pair of labels or counts is
    estimated by `plugin`, a label and a column of numbers by `mixed`, and other pairs by `mine`.

    Args:
        table: (n, d), numpy, torch, pandas, polars or nested lists. Columns of arrays are named
            "0", "1", ...
        target: the name (or place) of a column, or n rows of another one; None for all pairs.

    Other arguments and errors as for `mine.estimate`.
    """
    columns = _by_name(as_rows("the table", table))
    if len(columns) < 2 and target is None:
        raise ValueError(
            f"expected a table of two columns or more, got {len(columns)}: bring more"
        )
    wanted = _wanted(columns, target)
    for rows in columns.values():
        check_paired(rows, rows)
        check_varying("the table", rows)
    jobs = [
        own_job(
            columns[a],
            columns[b],
            method or pair_method(columns[a], columns[b], discrete_sides(columns[a], columns[b])),
            seed,
            preprocess=preprocess,
            defaults=SMALL,
            refuses_unused=method is not None,
            **overrides,
        )
        for a, b in wanted
    ]
    found = estimates_of([Request(job, null) for job in jobs], device)
    estimates = dict(zip(wanted, found, strict=True))
    names = tuple(columns)
    nats = _matrix(names, {pair: e.nats for pair, e in estimates.items()})
    stderr = _matrix(names, {pair: e.stderr for pair, e in estimates.items()})
    return Pairwise(names, nats, stderr, estimates)


def _wanted(columns: dict[str, Rows], target: Any) -> list[tuple[str, str]]:
    """The pairs of names to estimate, each once. Rows given as a target become a column."""
    if target is None:
        return list(combinations(columns, 2))
    name = _target(columns, target)
    return [pair for pair in combinations(columns, 2) if name in pair]


def _matrix(names: tuple[str, ...], values: Mapping[tuple[str, str], float]) -> Matrix:
    """Symmetric; nan where there is no value."""
    found = np.full((len(names), len(names)), np.nan)
    for (a, b), value in values.items():
        i, j = names.index(a), names.index(b)
        found[i, j] = found[j, i] = value
    return found


def _by_name(table: Rows) -> dict[str, Rows]:
    names = table.layout.names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"expected columns of different names, got {repeated[0]!r} twice: rename")
    return dict(zip(names, columns_of(table), strict=True))


def _target(columns: dict[str, Rows], target: Any) -> str:
    """The target's name. Where it is no column of the table, it is added as one."""
    if isinstance(target, str | int | np.integer):
        if str(target) not in columns:
            raise ValueError(
                f"expected a target among the columns {list(columns)}, got {target!r}: name one"
            )
        return str(target)
    _, rows = as_pair(next(iter(columns.values())), target, ("the table", TARGET))
    named = str(getattr(target, "name", None) or TARGET)
    name = named if named not in columns else TARGET
    if name in columns:
        raise ValueError(f"expected a target of another name than {name!r}: rename the column")
    columns[name] = rows
    return name
