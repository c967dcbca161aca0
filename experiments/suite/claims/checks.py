"""What a claim's function returns: a measure in words, its interval and its verdict.

A verdict compares a 95 % interval with a tolerance that was fixed before any result existed:

- *reproduced*: the whole interval lies within the tolerance;
- *not reproduced*: the whole interval lies outside;
- *inconclusive*: it straddles the tolerance, or it comes from fewer than `SEEDS_NEEDED` seeds.

A function states what it measures in one of three ways, each of which gives a `Finding`, or None
where the run has no rows for it:

- `all_hold`: several checks (`check`, `difference`) that must all hold;
- `measure`, and `compare` for a number of two sides: one number between two bounds;
- `intervals_apart`: one number, measured on two sides, whose intervals do not overlap.

The words that a function passes are templates: `{value}`, `{interval}`, `{seeds}` and the like
are filled in here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from experiments.suite.claims.intervals import (
    Array,
    Interval,
    Statistic,
    bootstrap_interval,
    fewest_seeds,
    mean_interval,
    pooled_mean,
)
from experiments.suite.claims.wording import counted, interval_words, lost, nats, number

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["reproduced", "not reproduced", "inconclusive"]

SEEDS_NEEDED = 3
ALL_WITHIN = (
    "{inside} of {checks} {noun} within tolerance on the mean over {seeds}; decided by {deciding}"
)


@dataclass(frozen=True)
class Finding:
    """What rows say of a claim.

    Args:
        words: what was measured.
        verdict: what the rule says of it.
        interval: the interval that the verdict rests on; None where there is none.
        rows: the rows among which lost cells are counted, after the words; None: nothing is
            counted.
        after: words that follow this count.
    """

    words: str
    verdict: Verdict
    interval: Interval | None = None
    rows: pd.DataFrame | None = None
    after: str = ""

    @property
    def measured(self) -> str:
        """The words, the cells that were lost, and what follows."""
        return f"{self.words}{'' if self.rows is None else lost(self.rows)}{self.after}"


# Verdicts


def verdict_within(interval: Interval, low: float, high: float, seeds: int) -> Verdict:
    """Where the interval lies with respect to [low, high]."""
    if seeds < SEEDS_NEEDED:
        return "inconclusive"
    if low <= interval[0] and interval[1] <= high:
        return "reproduced"
    if interval[1] < low or high < interval[0]:
        return "not reproduced"
    return "inconclusive"


def strictest(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on "all of them": one failure decides, then one doubt."""
    found = set(verdicts)
    order: tuple[Verdict, ...] = ("not reproduced", "inconclusive", "reproduced")
    return next(one for one in order if one in found)


def more_than(bound: float) -> Interval:
    """The bounds of a number that must be larger than this."""
    return math.nextafter(bound, math.inf), math.inf


def less_than(bound: float) -> Interval:
    """The bounds of a number that must be smaller than this."""
    return -math.inf, math.nextafter(bound, -math.inf)


# Several checks that must all hold


@dataclass(frozen=True)
class Check:
    """A number over seeds that must lie in [low, high].

    Args:
        label: what was measured.
        value: the number.
        interval: its interval.
        bounds: (low, high).
        seeds: how many seeds it is over.
        words: label and numbers, as they are printed.
        strain: among checks of equal verdict the one with the largest strain decides.
    """

    label: str
    value: float
    interval: Interval
    bounds: Interval
    seeds: int
    words: str
    strain: tuple[float, ...]

    @property
    def verdict(self) -> Verdict:
        return verdict_within(self.interval, *self.bounds, self.seeds)

    @property
    def inside(self) -> bool:
        """Whether the number itself, without its interval, lies within the bounds."""
        return self.bounds[0] <= self.value <= self.bounds[1]


def check(label: str, errors: Array, tolerance: float, unit: bool = True) -> Check:
    """That the mean over one group of seeds lies within +-tolerance.

    Args:
        label: what was measured.
        errors: (S,); without any the check is inconclusive.
        tolerance: in the unit of the errors.
        unit: whether errors are in nats; otherwise they are plain numbers.
    """
    if not len(errors):
        return symmetric(label, math.nan, (-math.inf, math.inf), tolerance, 0, unit)
    mean = float(errors.mean())
    return symmetric(label, mean, mean_interval(errors), tolerance, len(errors), unit)


def mean_between(
    label: str, values: Array, bounds: Interval, words: str, signed: bool = False
) -> Check:
    """That the mean of plain numbers over seeds lies within bounds.

    It is decided by how far the interval reaches out of them.

    Args:
        label: what was measured.
        values: one a seed, (S,).
        bounds: (low, high).
        words: a template with {value} and {interval}.
        signed: whether a positive number is printed with its sign.
    """
    (value, interval), seeds = number_of([values], pooled_mean), len(values)
    said = words.format(
        value=number(value, signed), interval=interval_words(interval, seeds, signed, unit=False)
    )
    reach = max(bounds[0] - interval[0], interval[1] - bounds[1])
    return Check(label, value, interval, bounds, seeds, said, (reach,))


def difference(label: str, one: Array, two: Array, tolerance: float) -> Check:
    """That the difference of two independent means of errors lies within +-tolerance, in nats.

    Args:
        label: what was measured.
        one: errors, (S,).
        two: errors, (S',).
        tolerance: in nats.
    """
    if not (len(one) and len(two)):
        return check(label, one[:0], tolerance)
    return symmetric(label, *number_of([one, two], mean_gap), tolerance, min(len(one), len(two)))


def mean_gap(groups: Sequence[Array]) -> Any:
    """The first group's mean less the second's: shapes (..., S_g) to (...)."""
    return groups[0].mean(-1) - groups[1].mean(-1)


def pooled_check(label: str, groups: Sequence[Array], tolerance: float) -> Check:
    """That the mean over several groups of seeds lies within +-tolerance, in nats."""
    return symmetric(label, *number_of(groups, pooled_mean), tolerance, fewest_seeds(groups))


def symmetric(
    label: str, value: float, interval: Interval, tolerance: float, seeds: int, unit: bool = True
) -> Check:
    """A check against +-tolerance; its strain is how far it reaches, in units of the tolerance."""
    write = nats if unit else number
    words = (
        f"{label}: {write(value, signed=True)},"
        f" {interval_words(interval, seeds, signed=True, unit=unit)},"
        f" tolerance ±{nats(tolerance) if unit else f'{tolerance:.3g}'}"
    )
    reach = max(abs(value), abs(interval[0]), abs(interval[1])) / tolerance
    bounds = (-tolerance, tolerance)
    return Check(label, value, interval, bounds, seeds, words, (reach,))


def decided(checks: Sequence[Check]) -> tuple[Verdict, Check]:
    """Every check must hold: the verdict, and the check that decides it (the most strained one).

    "Reproduced" asks each interval to lie within its tolerance, which needs no correction for
    their number; "not reproduced" takes a single one that lies wholly outside.
    """
    verdict = strictest(one.verdict for one in checks)
    return verdict, max((c for c in checks if c.verdict == verdict), key=lambda c: c.strain)


def all_hold(
    checks: Sequence[Check], noun: str, rows: pd.DataFrame, words: str = ALL_WITHIN
) -> Finding | None:
    """The finding that every check holds.

    Args:
        checks: one for each cell of the grid.
        noun: what the checks are of, in the plural.
        rows: among which lost cells are counted.
        words: a template with {inside} (checks whose number is within the bounds), {held} (those
            that are reproduced), {checks} (their number), {noun}, {seeds} and {deciding}.
    """
    if not checks:
        return None
    verdict, deciding = decided(checks)
    said = words.format(
        inside=sum(one.inside for one in checks),
        held=sum(one.verdict == "reproduced" for one in checks),
        checks=len(checks),
        noun=noun,
        seeds=counted(min(one.seeds for one in checks), "seed"),
        deciding=deciding.words,
    )
    return Finding(said, verdict, deciding.interval, rows)


# One number between two bounds


def value_of(groups: Sequence[Array], statistic: Statistic) -> float:
    """A statistic of the groups; nan where it is undefined (inf - inf)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(statistic(groups))


def number_of(groups: Sequence[Array], statistic: Statistic) -> tuple[float, Interval]:
    """A statistic of the groups, and its bootstrap interval."""
    return value_of(groups, statistic), bootstrap_interval(groups, statistic)


def measure(
    groups: Sequence[Array],
    statistic: Statistic,
    bounds: Interval,
    words: str,
    rows: pd.DataFrame | None,
    *,
    unit: bool = True,
    signed: bool = True,
    **fields: object,
) -> Finding | None:
    """The finding that a statistic lies within bounds.

    Args:
        groups: an array of shape (S,) for each cell of the grid.
        statistic: maps groups of shapes (..., S_g) to shape (...).
        bounds: (low, high).
        words: a template with {value}, {interval}, {seeds} (of the smallest group) and `fields`.
        rows: among which lost cells are counted; None: none are.
        unit: whether the number is in nats.
        signed: whether a positive number is printed with its sign.
    """
    if not groups or not all(map(len, groups)):
        return None
    (value, interval), seeds = number_of(groups, statistic), fewest_seeds(groups)
    said = words.format(
        value=(nats if unit else number)(value, signed),
        interval=interval_words(interval, seeds, signed, unit),
        seeds=counted(seeds, "seed"),
        **fields,
    )
    return Finding(said, verdict_within(interval, *bounds, seeds), interval, rows)


def compare(
    one: Sequence[Array],
    two: Sequence[Array],
    statistic: Statistic,
    combine: Callable[[Any, Any], Any],
    bounds: Interval,
    words: str,
    rows: pd.DataFrame | None,
    *,
    unit: bool = True,
    signed: bool = True,
) -> Finding | None:
    """The finding that a number of two sides, their difference or ratio, lies within bounds.

    Args:
        one: an array of shape (S,) for each cell of the grid.
        two: the same of the other side.
        statistic: of each side; it maps groups of shapes (..., S_g) to shape (...).
        combine: of the two statistics: `operator.sub`, `operator.truediv` or `growth`.
        bounds: (low, high).
        words: as in `measure`, and {one} and {two}: the statistic of each side, in nats.
        rows: as in `measure`, as are the others.
    """
    if not (one and two and all(map(len, [*one, *two]))):
        return None
    cut = len(one)
    sides = [nats(value_of(side, statistic)) for side in (one, two)]
    return measure(
        [*one, *two],
        lambda groups: combine(statistic(groups[:cut]), statistic(groups[cut:])),
        bounds,
        words,
        rows,
        unit=unit,
        signed=signed,
        one=sides[0],
        two=sides[1],
    )


def growth(one: Any, two: Any) -> Any:
    """What the second of two statistics is of the first."""
    return two / one


# Two intervals


def intervals_apart(
    one: Sequence[Array], two: Sequence[Array], statistic: Statistic, words: str
) -> Finding | None:
    """The finding that one side's whole interval lies below the other's, in nats.

    Args:
        one: an array of shape (S,) for each cell of the grid.
        two: the same of the other side.
        statistic: maps groups of shapes (..., S_g) to shape (...).
        words: a template with {one}, {two} (numbers with intervals) and {seeds}.
    """
    seeds = fewest_seeds([*one, *two])
    if not seeds:
        return None
    sides = [number_of(groups, statistic) for groups in (one, two)]
    texts = [f"{nats(value)}, {interval_words(interval, seeds)}" for value, interval in sides]
    said = words.format(one=texts[0], two=texts[1], seeds=counted(seeds, "seed"))
    (_, first), (_, second) = sides
    verdict: Verdict = "inconclusive"
    if seeds >= SEEDS_NEEDED and first[1] < second[0]:
        verdict = "reproduced"
    elif seeds >= SEEDS_NEEDED and second[1] < first[0]:
        verdict = "not reproduced"
    return Finding(said, verdict, first)
