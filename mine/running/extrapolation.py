r"""What more training rows would teach: one candidate, trained on all and on half of the rows.

Let a critic of n rows lack c n^-a nats. From n / 2 rows to n the value rises by c n^-a (2^a - 1),
so what it still lacks is that rise over 2^a - 1:

- a = 1, where a fixed number of parameters is learned: the rise itself, as in the jackknife
  (Quenouille, 1956, https://doi.org/10.1093/biomet/43.3-4.353);
- a = 1/2: 2.4 rises.

One rise is added to the value. Where rows are few for so many columns, terms beyond 1/n make the
rise larger than what is lacking. There no more than `MOST_ADDED` is added. The standard error has
three parts: the error over the test rows, `RATES` rises, and a share of the value, for what no
number of rows teaches the critic. The numbers were chosen on the development tasks
(docs/accuracy.md).
"""

from __future__ import annotations

import math
from dataclasses import replace

from mine.method.held_out import Influence, InfluenceArrays
from mine.method.method import UNSEEN
from mine.running.estimates import Estimate


def combined(
    e: Estimate, other: Estimate, weight: float
) -> tuple[float, tuple[InfluenceArrays, ...]]:
    """The standard error of ``e.nats + weight * other.nats``, and its influences.

    Both were tested on the same rows with the same partners, so the influences add up row by row.
    """
    squares, found = 0.0, []
    for arrays, of_other in zip(e.influences, other.influences, strict=True):
        influence = Influence.of_arrays(arrays).plus(Influence.of_arrays(of_other), weight)
        squares += (influence.rows.shape[1] * float(influence.stderr())) ** 2
        found.append(influence.arrays(0))
    return math.sqrt(squares) / e.n_test, tuple(found)


RATES = 1.0 / (2.0**0.5 - 1.0) - 1.0
"""Rises that a critic lacks if the lack falls as n^-1/2, less the one if it falls as 1/n."""


LEAST_RISE = 0.05  # nats: a smaller one is no warning
MOST_ADDED = 0.2  # nats
FEW_ROWS = 150  # training rows a column: with fewer, no more than that is added


def _unadded(whole: Estimate, rise: float) -> Estimate:
    """The value of all rows, where the rise is beyond what can be extrapolated; it is an error."""
    warning = (
        f"still learning: the second half of the training rows raised the value by {rise:.2f} "
        f"nats, to {whole.nats:.2f}, so nothing can be said of more rows: bring more, and read "
        "the interval"
    )
    return replace(
        whole,
        stderr=math.hypot(whole.stderr, (1.0 + RATES) * rise),
        warnings=(*whole.warnings, warning),
        rise=rise,
    )


def extrapolated(
    whole: Estimate,
    half: Estimate | None = None,
    floored: bool = False,
    unseen: float = UNSEEN,
    columns: int = 1,
) -> Estimate:
    """A value with more rows, extrapolated from critics of all and of half the training rows.

    Without a finite value of both it is the value as it was found. Floored, a critic below 0
    counts as the one that is 0 everywhere: where rows hang together, half of few groups or blocks
    may teach what is far below 0, and a rise from there tells of nothing. A value below 0 stays,
    and what it lacks to 0 is in its error. Not floored, no rise is added that exceeds the value,
    or ln n, and .05 nats.

    Args:
        whole: of all training rows.
        half: of half of them.
        floored: whether the rows hang together.
        unseen: the share of the value that goes into the error.
        columns: of x and of y together.
    """
    if half is None or not (math.isfinite(whole.nats) and math.isfinite(half.nats)):
        return whole
    if floored and whole.nats <= 0.0:
        return replace(whole, rise=0.0, stderr=math.hypot(whole.stderr, whole.nats))
    if half.untrained and not (whole.untrained or floored) and whole.nats > LEAST_RISE:
        return _unadded(whole, whole.nats)
    from_zero = floored and half.nats < 0.0
    rise = whole.nats - (0.0 if from_zero else half.nats)
    if not floored and rise > max(LEAST_RISE, min(whole.nats, math.log(whole.n_test))):
        return _unadded(whole, rise)
    few = whole.n_train < FEW_ROWS * columns
    value = whole.nats + (min(rise, MOST_ADDED) if few else rise)
    of_rows, influences = combined(whole, half, 0.0 if from_zero else -0.5)
    warnings = whole.warnings
    if rise > max(LEAST_RISE, 0.1 * abs(whole.nats)):
        more = (
            f"still learning: the second half of the training rows raised the value by {rise:.2f} "
            "nats, more would raise it further: bring more rows, and read the interval"
        )
        warnings = (*warnings, more)
    return replace(
        whole,
        nats=value,
        stderr=math.hypot(2.0 * of_rows, RATES * rise, unseen * max(value, 0.0)),
        warnings=warnings,
        rise=rise,
        influences=tuple((2.0 * rows, 2.0 * pairs) for rows, pairs in influences),
    )
