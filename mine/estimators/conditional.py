r"""Conditional mutual information, as a difference of two estimates (nats):

    I(X; Y | Z) = I(X; (Y, Z)) - I(X; Z)

by the chain rule (Cover and Thomas, 2006, Eq. 2.62). The difference of two lower bounds is no
bound: what the first critic has not learned lowers it, what the second has not learned raises it.
Both are trained and tested on the same rows, and each test row has the same partners in both, so
what a row adds to both cancels in the error.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from torch import nn

from mine.critics.modules import Modules
from mine.data.dependence import Dependence
from mine.data.levels import is_discrete
from mine.data.local_permutation import LocalPermutation, local_permutation
from mine.data.own_rows import OwnRows
from mine.data.torch_defaults import with_usual_defaults
from mine.estimators.alignment import aligned_groups
from mine.estimators.dependence import dependence_of
from mine.estimators.label_limit import least_entropy
from mine.estimators.own_job import own_job
from mine.estimators.requests import Request, estimates_of
from mine.estimators.rows import Rows, as_sides, beside, columns_of, noted
from mine.estimators.suited import discrete_sides
from mine.method.entropy import LabelEntropy
from mine.running.estimates import Estimate, below_entropy, normal_interval, p_value_of
from mine.running.extrapolation import RATES, combined
from mine.running.jobs import Job


@dataclass(frozen=True)
class Conditional:
    """I(X; Y | Z) estimated from samples.

    Attributes:
        nats: the difference. It may be negative; it is not clipped. It is infinite where X and Y
            hang together without noise; nan where X and Z do, and nothing can be told.
        stderr: its standard error over test rows, in nats, for the critics that were found.
        whole: I(X; (Y, Z)).
        part: I(X; Z).
        label: the entropy of X or Y, where one is discrete, as for `Estimate`.
        null: the same difference for copies in which y is permuted among rows of near z, in nats;
            () where none were asked for.
        doubts: reasons to doubt the p-value.
    """

    nats: float
    stderr: float
    whole: Estimate
    part: Estimate
    label: LabelEntropy | None = field(default=None, repr=False)
    null: tuple[float, ...] = ()
    doubts: tuple[str, ...] = field(default=(), repr=False)

    @property
    def bits(self) -> float:
        """The difference in bits, nats / ln 2."""
        return self.nats / math.log(2.0)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of the p-value, then those of both parts, each after the part's name."""
        parts = ("I(X; (Y, Z))", self.whole), ("I(X; Z)", self.part)
        found = (f"{name}: {warning}" for name, e in parts for warning in e.warnings)
        return (*self.doubts, *found)

    @property
    def p_value(self) -> float | None:
        """Chance of a value at least this large if I(X; Y | Z) = 0, as for `Estimate`.

        It is exact where z is discrete. Elsewhere it is as good as the copies keep the relation
        of y to z: docs/own-data.md has the rates, which are too high where z has several columns
        and the relations to them are curved.
        """
        return p_value_of(self.nats, self.null)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """A normal interval of this level around ``nats``, for the critics that were found.

        Of an infinite value it is ln n, less what Z may tell, and infinity.
        """
        if self.nats == math.inf:
            return self.whole.interval(level)[0] - self.part.interval(level)[1], math.inf
        return below_entropy(normal_interval(self.nats, self.stderr, level), self.label, level)


@with_usual_defaults
def conditional(
    x: Any,
    y: Any,
    z: Any,
    method: str = "auto",
    seed: int = 0,
    device: str = "auto",
    critic: Callable[[int, int], nn.Module] | None = None,
    *,
    null: int = 0,
    folds: int | None = None,
    preprocess: str | None = None,
    drop_missing: bool = False,
    groups: Any = None,
    order: str | None = None,
    blocks: int | None = None,
    **overrides: Any,
) -> Conditional:
    """I(X; Y | Z) of rows (x, y, z), in nats: see the module.

    >>> c = mine.conditional(x, y, z)
    >>> print(c.nats, c.interval(0.95), c.whole.nats, c.part.nats)

    The standard error is that of the difference row by row (delta method). For a method that
    trains nothing it is the root of the sum of both variances, which is too large where a row adds
    to both estimates.

    Args:
        z: (n, dz), the columns that are known.
        null: how many copies are estimated in the same stack, such as 20, for ``p_value``; y is
            permuted among rows of near z (`mine.data.local_permutation`). Not with groups, order
            or blocks.

    Other arguments and errors as for `mine.estimate`.
    """
    xs, ys, zs = as_sides((x, y, z), ("x", "y", "z"), drop_missing)
    both = beside((ys, zs))
    key = hashlib.sha256(f"conditional on {len(xs.values)} rows".encode()).hexdigest()
    make = None if critic is None else Modules(critic)
    ids = aligned_groups((x, y, z), groups)
    hangs = dependence_of([(xs, both)], ids, order, blocks)
    given = _given(ys, zs, null, hangs)

    def jobs_of(trains: bool) -> list[Job]:
        of_both = overrides | {"key": key, "keeps_influences": True, "trains": trains}
        of_both["refuses_unused"] = method != "auto"  # which differs from part to part
        return [
            own_job(*(xs, of, method, seed, make, preprocess, folds), dependence=hangs, **of_both)
            for of in (both, zs)
        ]

    jobs = jobs_of(False)
    if len({job.method.taken for job in jobs}) > 1:
        jobs = jobs_of(True)  # the errors of one method cancel, as far as they are equal
    of_both, of_part = jobs
    copied = replace(of_both, source=replace(cast(OwnRows, of_both.source), given=given))
    whole, part = estimates_of([Request(copied, null), Request(of_part)], device)
    label = least_entropy(xs.values, ys.values, discrete_sides(xs, ys))
    most = label.nats if label else math.inf
    return Conditional(
        nats=math.nan if part.nats == math.inf else min(whole.nats - part.nats, most),
        # Where a label is in y or z, each part spreads its own levels, and deals rows otherwise.
        stderr=_error(whole, part, any(cast(OwnRows, job.source).discrete[1] for job in jobs)),
        whole=noted(replace(whole, influences=(), null=()), xs),
        part=noted(replace(part, influences=()), xs),
        label=label,
        null=tuple(min(v - part.nats, most) for v in whole.null),
        doubts=given.doubts if given else (),
    )


def _given(ys: Rows, zs: Rows, null: int, hangs: Dependence | None) -> LocalPermutation | None:
    """How copies are made; None where none are asked for."""
    if not null:
        return None
    if hangs is not None:
        raise ValueError(
            "expected no groups, order or blocks beside null, got both: rows that hang together "
            "cannot be permuted among those of near z; leave null out and read the interval"
        )
    columns = columns_of(zs)
    discrete = [is_discrete(c.values, c.layout) for c in columns for _ in range(c.layout.width)]
    return local_permutation(ys.values, zs.values, discrete, zs.layout.coded)


def _error(whole: Estimate, part: Estimate, unlike: bool) -> float:
    """The standard error of the difference; of rows that were dealt otherwise, the most it is.

    What the rows tell against one part does not cancel in the difference.
    """
    if unlike and whole.influences:
        return whole.stderr + part.stderr
    if not (whole.influences and part.influences):
        return math.hypot(whole.stderr, part.stderr)
    rise = (whole.rise or 0.0) - (part.rise or 0.0)
    of_rows = combined(whole, part, -1.0)[0]
    return math.hypot(of_rows, RATES * rise, whole.widened, part.widened)
