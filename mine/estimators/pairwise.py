"""Mutual information of all pairs of a table's columns, or of all with one target, in one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mine.data.columns import Raw, as_raw, coded, why_identifier
from mine.data.shared_work import shared_work
from mine.data.torch_defaults import with_usual_defaults
from mine.estimators.alignment import aligned, aligned_groups
from mine.estimators.dependence import dependence_of
from mine.estimators.outlook import say_outlook
from mine.estimators.own_job import own_job
from mine.estimators.requests import Request
from mine.estimators.rows import (
    Rows,
    check_paired,
    check_varying,
    columns_of,
    complete,
    constant_columns,
    noted,
)
from mine.estimators.sequential import estimates_with_copies
from mine.estimators.significance import p_values_of, q_values_of
from mine.estimators.suited import discrete_sides, pair_method
from mine.running.estimates import Estimate
from mine.running.jobs import Job

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
        estimates: (name, name) -> the estimate: each pair once, in the order of ``names``.
        constant: the names of columns with one value. They tell nothing: their ``nats`` are 0.
        left_out: name -> why a column was left out, such as an identifier; its ``nats`` are nan.
        target: the name of the column that all pairs have; None where all pairs were asked for.
    """

    names: tuple[str, ...]
    estimates: Mapping[tuple[str, str], Estimate] = field(repr=False)
    constant: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None

    @cached_property
    def nats(self) -> Matrix:
        """(d, d), symmetric; nan on the diagonal and for pairs that were not asked for."""
        return self._of({pair: e.nats for pair, e in self.estimates.items()})

    @cached_property
    def stderr(self) -> Matrix:
        """(d, d), the standard errors; nan where ``nats`` is."""
        return self._of({pair: e.stderr for pair, e in self.estimates.items()})

    def _of(self, values: Mapping[tuple[str, str], float]) -> Matrix:
        kept = [name for name in self.names if name not in self.left_out]
        pairs = _pairs(kept, self.target) if self.constant else []
        nothing = (pair for pair in pairs if not set(pair).isdisjoint(self.constant))
        return _matrix(self.names, {**dict.fromkeys(nothing, 0.0), **values})

    @property
    def p_values(self) -> Matrix:
        """(d, d), the p-values of `Estimate`; nan where there are no copies (``null=``)."""
        return _matrix(self.names, p_values_of(self.estimates))

    @property
    def q_values(self) -> Matrix:
        """(d, d), the p-values adjusted for all pairs together (Benjamini and Hochberg, 1995).

        Of the pairs with q <= .05, 5 % are independent on average, at most. nan where there are no
        copies. The least p-value of k copies is 1 / (k + 1), so that a single one of m pairs needs
        20 m - 1 copies to have q = .05; where s pairs stand out, 20 m / s - 1 are enough.
        """
        return _matrix(self.names, q_values_of(self.estimates))

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
    drop_missing: bool = False,
    groups: Any = None,
    order: str | None = None,
    blocks: int | None = None,
    **overrides: Any,
) -> Pairwise:
    """The mutual information of all pairs of columns, in nats. Pairs of one shape share a stack.

    >>> m = mine.pairwise(table)                    # all pairs
    >>> m = mine.pairwise(table, target="age")      # every other column and this one
    >>> m.names, m.nats, m.estimates["height", "age"].warnings

    Each pair is what `mine.estimate` gives for its two columns with a smaller network and fewer
    steps, `mine.estimators.pairwise.SMALL`; overrides go before these. A column of categories is
    one column, however many levels it has. Where no method is named, a pair of labels or counts is
    estimated by `plugin`, a label and a column of numbers by `mixed`, and other pairs, and rows
    that hang together, by `mine`. Columns that tell nothing are no reason to stop: see
    ``constant`` and ``left_out`` of the result.

    Args:
        table: (n, d), numpy, torch, pandas, polars or nested lists. Columns of arrays are named
            "0", "1", ...
        target: the name (or place) of a column, or n rows of another one; None for all pairs.
        null: the most permuted copies of a pair. Of more than ten, a pair gets no more once five
            reach its value (`mine.estimators.sequential`).
        blocks: the length of a block; None for that of the slowest pair, for all pairs.

    Other arguments and errors as for `mine.estimate`.
    """
    read = _read(table, target, drop_missing)
    columns, constant = read.columns, read.constant
    wanted = _pairs([name for name in columns if name not in constant], read.target)
    sides = [(columns[a], columns[b]) for a, b in wanted]
    ids = aligned_groups((table, target), groups)
    hangs = dependence_of(sides, ids, order, blocks) if sides else None

    def job_of(pair: tuple[Rows, Rows]) -> Job:
        return own_job(
            *pair,
            method or ("mine" if hangs else pair_method(*pair, discrete_sides(*pair))),
            seed,
            preprocess=preprocess,
            defaults=SMALL,
            refuses_unused=method not in (None, "auto"),  # which differs from pair to pair
            dependence=hangs,
            **overrides,
        )

    with shared_work([column.values for column in columns.values()]):
        if sides:  # before a job is made of each: of some thousand columns, that takes minutes
            first, count = Request(job_of(sides[0]), null).job, len(sides) * (1 + null)
            say_outlook([first], count, device, shared=True)
        found = estimates_with_copies([job_of(pair) for pair in sides], null, device)
    estimates = {p: noted(e, columns[p[0]]) for p, e in zip(wanted, found, strict=True)}
    return Pairwise(read.names, estimates, constant, read.left_out, read.target)


def _pairs(names: Sequence[str], target: str | None) -> list[tuple[str, str]]:
    """All pairs in the order of the names, or those of the target."""
    if target is None:
        return list(combinations(names, 2))
    at = names.index(target)
    return [(name, target) for name in names[:at]] + [(target, name) for name in names[at + 1 :]]


@dataclass(frozen=True)
class _Table:
    """A table whose columns can be paired."""

    names: tuple[str, ...]
    columns: Mapping[str, Rows]
    target: str | None
    constant: tuple[str, ...]
    left_out: Mapping[str, str]


def _read(table: Any, target: Any, drop_missing: bool) -> _Table:
    """The table's columns by name, a target of its own as the last of them."""
    is_name = target is None or isinstance(target, str | int | np.integer)
    given = [table] if is_name else aligned([table, target], ["the table", TARGET])
    raw = as_raw("the table", given[0])
    _check_names(raw.names, target)
    named = None if target is None else _name(raw.names, target)
    left_out = _left_out(raw, named, drop_missing)
    places = [i for i, name in enumerate(raw.names) if name not in left_out]
    raws = [raw.only(places), *(as_raw(TARGET, v) for v in given[1:])]
    raws, kept = complete(raws) if drop_missing else (raws, None)
    rows = [replace(Rows(*coded(one)), kept=kept) for one in raws]
    for one in rows:
        check_paired(rows[0], one, ("the table", TARGET))
    of_table = [raw.names[i] for i in places]
    columns = dict(zip(of_table, columns_of(rows[0]), strict=True))
    columns = {name: replace(one, kept=kept) for name, one in columns.items()}
    if len(rows) > 1:
        columns[str(named)] = rows[1]
    names = raw.names if is_name else (*raw.names, str(named))
    constant = tuple(name for name, one in columns.items() if constant_columns(one))
    if named in constant:
        check_varying("the table", columns[str(named)])
    return _Table(names, columns, named, constant, left_out)


def _left_out(raw: Raw, target: str | None, drop_missing: bool) -> dict[str, str]:
    """Name -> why a column is left out. The target is not: it is refused where it cannot be."""
    parts = [part for part in raw.parts if part.name != target]
    found = {part.name: why_identifier(part) for part in parts}
    if drop_missing:
        found |= {p.name: "it has no values" for p in parts if p.is_missing.all()}
    return {name: why for name, why in found.items() if why}


def _matrix(names: tuple[str, ...], values: Mapping[tuple[str, str], float]) -> Matrix:
    """Symmetric; nan where there is no value."""
    found = np.full((len(names), len(names)), np.nan)
    place = {name: i for i, name in enumerate(names)}
    for (a, b), value in values.items():
        i, j = place[a], place[b]
        found[i, j] = found[j, i] = value
    return found


def _check_names(names: tuple[str, ...], target: Any) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f"expected columns of different names, got {repeated[0]!r} twice: rename")
    if len(names) < 2 and target is None:
        raise ValueError(f"expected a table of two columns or more, got {len(names)}: bring more")


def _name(names: tuple[str, ...], target: Any) -> str:
    """The target's name, which is new where it is no column of the table."""
    if isinstance(target, str | int | np.integer):
        if str(target) not in names:
            raise ValueError(
                f"expected a target among the columns {list(names)}, got {target!r}: name one"
            )
        return str(target)
    named = str(getattr(target, "name", None) or TARGET)
    name = named if named not in names else TARGET
    if name in names:
        raise ValueError(f"expected a target of another name than {name!r}: rename the column")
    return name
