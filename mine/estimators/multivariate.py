r"""Information of three columns or more, as sums of estimates of two sides (nats).

Total correlation (Watanabe, 1960, https://doi.org/10.1147/rd.41.0066), by the chain rule:

    TC(X_1, ..., X_d) = sum_(k = 2)^d I(X_1, ..., X_(k-1); X_k).

Interaction information (McGill, 1954, https://doi.org/10.1007/BF02289159): what Z adds to what X
and Y tell of each other,

    I(X; Y | Z) - I(X; Y) = I(X; (Y, Z)) - I(X; Z) - I(X; Y).

It is above 0 where X needs Y and Z together (synergy), below 0 where they tell the same
(redundancy). All terms are trained in one run and tested on the same rows. Sums of lower bounds
are no bounds where a term is taken off.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mine.data.torch_defaults import with_usual_defaults
from mine.estimators.alignment import aligned_groups
from mine.estimators.dependence import dependence_of
from mine.estimators.own_job import own_job
from mine.estimators.requests import Request, estimates_of
from mine.estimators.rows import Rows, as_sides, beside, columns_of, noted
from mine.estimators.suited import discrete_sides
from mine.running.estimates import Estimate, normal_interval
from mine.running.extrapolation import RATES, combined

Sides = tuple[Rows, Rows]


@dataclass(frozen=True)
class Multivariate:
    """A sum of estimates.

    Attributes:
        nats: the sum. It may be negative; it is not clipped. It is infinite where columns hang
            together without noise; nan where infinite terms are taken from each other.
        stderr: its standard error, in nats. Where each term brings what each test row adds, these
            are added row by row (delta method). Elsewhere it is the sum of the terms' errors,
            which is never too small for what the terms share. That is so for methods that train
            nothing, and where a column is a label or a count.
        terms: what is summed -> its estimate; names as in the module's formulas.
        weights: of the terms, 1 or -1.
    """

    nats: float
    stderr: float
    terms: Mapping[str, Estimate] = field(repr=False)
    weights: tuple[float, ...] = field(repr=False)

    @property
    def bits(self) -> float:
        """The sum in bits, nats / ln 2."""
        return self.nats / math.log(2.0)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings of all terms, each after the term's name."""
        return tuple(f"{name}: {w}" for name, e in self.terms.items() for w in e.warnings)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """A normal interval of this level around ``nats``, for the critics that were found.

        Of an infinite value it is ln n, less what the other terms may take off, and infinity.
        """
        if self.nats == math.inf:
            of_terms = [*zip(self.weights, self.terms.values(), strict=True)]
            taken = sum(max(e.interval(level)[1], 0.0) for w, e in of_terms if w < 0.0)
            return math.log(min(e.n_test for _, e in of_terms)) - taken, math.inf
        return normal_interval(self.nats, self.stderr, level)


@with_usual_defaults
def total_correlation(
    table: Any,
    method: str = "auto",
    seed: int = 0,
    device: str = "auto",
    *,
    folds: int | None = None,
    preprocess: str | None = None,
    drop_missing: bool = False,
    groups: Any = None,
    order: str | None = None,
    blocks: int | None = None,
    **overrides: Any,
) -> Multivariate:
    """What the columns of a table tell of each other: the sum of their entropies less the joint.

    >>> t = mine.total_correlation(table)
    >>> print(t.nats, t.interval(0.95), list(t.terms))

    See `mine.estimators.multivariate` for the sum. A column of categories is one column.

    Args:
        table: (n, d), two columns or more, of the kinds that `mine.estimate` takes.

    Other arguments and errors as for `mine.estimate`.
    """
    (rows,) = as_sides((table,), ("the table",), drop_missing)
    columns = columns_of(rows)
    if len(columns) < 2:
        raise ValueError(
            f"expected a table of two columns or more, got {len(columns)}: bring more"
        )
    names = [name for column in columns for name in column.layout.names]
    terms = {
        f"I({', '.join(names[:k])}; {names[k]})": (beside(columns[:k]), columns[k])
        for k in range(1, len(columns))
    }
    hangs = aligned_groups((table,), groups), order, blocks
    options = {"folds": folds, "preprocess": preprocess, **overrides}
    return _summed(terms, [1.0] * len(terms), columns, hangs, (method, seed, device), options)


@with_usual_defaults
def interaction_information(
    x: Any,
    y: Any,
    z: Any,
    method: str = "auto",
    seed: int = 0,
    device: str = "auto",
    *,
    folds: int | None = None,
    preprocess: str | None = None,
    drop_missing: bool = False,
    groups: Any = None,
    order: str | None = None,
    blocks: int | None = None,
    **overrides: Any,
) -> Multivariate:
    """I(X; Y | Z) - I(X; Y): above 0 for synergy, below 0 for redundancy.

    >>> i = mine.interaction_information(x, y, z)
    >>> print(i.nats, i.interval(0.95))

    The order of x, y and z changes nothing but what is estimated: X is the side of all terms.

    Args:
        z: (n, dz); x and y likewise.

    Other arguments and errors as for `mine.estimate`.
    """
    xs, ys, zs = as_sides((x, y, z), ("x", "y", "z"), drop_missing)
    terms = {"I(X; (Y, Z))": (xs, beside((ys, zs))), "I(X; Y)": (xs, ys), "I(X; Z)": (xs, zs)}
    columns = [column for rows in (xs, ys, zs) for column in columns_of(rows)]
    hangs = aligned_groups((x, y, z), groups), order, blocks
    options = {"folds": folds, "preprocess": preprocess, **overrides}
    return _summed(terms, (1.0, -1.0, -1.0), columns, hangs, (method, seed, device), options)


def _summed(
    terms: Mapping[str, Sides],
    weights: Sequence[float],
    columns: Sequence[Rows],
    hanging: tuple[Any, str | None, int | None],
    asked: tuple[str, int, str],
    options: Mapping[str, Any],
) -> Multivariate:
    method, seed, device = asked
    hangs = dependence_of(list(terms.values()), *hanging)
    n = len(columns[0].values)
    key = hashlib.sha256(f"several columns of {n} rows".encode()).hexdigest()
    refuses = method != "auto"  # which takes one method for labels and another for numbers
    options = {"key": key, "keeps_influences": True, "refuses_unused": refuses, **options}
    jobs = [own_job(*pair, method, seed, dependence=hangs, **options) for pair in terms.values()]
    found = estimates_of([Request(job) for job in jobs], device)
    labels = any(any(discrete_sides(column, column)) for column in columns)  # deal rows otherwise
    taken = [e for w, e in zip(weights, found, strict=True) if w < 0.0]
    unknown = any(e.nats == math.inf for e in taken)  # an infinite term is taken from the others
    nats = math.nan if unknown else sum(w * e.nats for w, e in zip(weights, found, strict=True))
    kept = [noted(replace(e, influences=()), columns[0]) for e in found]
    of_terms = dict(zip(terms, kept, strict=True))
    return Multivariate(nats, _error(found, weights, labels), of_terms, tuple(weights))


def _error(found: Sequence[Estimate], weights: Sequence[float], labels: bool) -> float:
    """The standard error of the weighted sum; the first weight is 1."""
    if labels or not all(e.influences for e in found):
        return sum(abs(w) * e.stderr for w, e in zip(weights, found, strict=True))
    if len(found) == 1:
        return found[0].stderr
    of_terms = list(zip(weights, found, strict=True))
    rise = sum(w * (e.rise or 0.0) for w, e in of_terms)
    stderr, total = 0.0, found[0]
    for other, weight in zip(found[1:], weights[1:], strict=True):
        stderr, influences = combined(total, other, weight)
        total = replace(total, influences=influences)
    return math.hypot(stderr, RATES * rise, *(w * e.widened for w, e in of_terms))
