"""Claims: a sentence of the paper, its measure, its tolerance, and a verdict computed from rows.

A verdict compares a 95 % interval with a tolerance that was fixed before any result existed:

- *reproduced*: the whole interval lies within the tolerance;
- *not reproduced*: the whole interval lies outside;
- *inconclusive*: it straddles the tolerance, or fewer than `SEEDS_NEEDED` seeds stand behind it.

Intervals are percentile bootstrap intervals over seeds, resampled within each cell of the grid
(cells are independent: each draws its own data). With the 3 to 5 seeds of an ordinary run they are
about the range of the seeds, and somewhat too narrow; BCa's acceleration cannot be estimated from
so few. scipy.stats.bootstrap does not take infinite errors, which is how a diverged cell counts
here (it gave no estimate), so the resampling is written out; a test holds it against scipy's.

All errors are estimate - truth in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Interval = tuple[float, float]
Verdict = Literal["reproduced", "not reproduced", "inconclusive"]

LEVEL = 0.95
RESAMPLES = 2000
SEEDS_NEEDED = 3
BITS_PER_NAT = 1.0 / math.log(2.0)


@dataclass(frozen=True)
class Claim:
    """One line of the claim table.

    Args:
        id: stable name, unique over all experiments.
        experiment: the experiment whose rows it is computed from.
        paper: where the sentence stands, or "this suite's target".
        statement: the sentence.
        measured: what was measured, with interval, seeds, and divergences.
        tolerance: the rule that was fixed beforehand.
        verdict: what the rule says of the measure.
        figure: the name of the figure that shows it.
        interval: the interval that the verdict rests on; None where there is none.
    """

    id: str
    experiment: str
    paper: str
    statement: str
    measured: str
    tolerance: str
    verdict: Verdict
    figure: str
    interval: Interval | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; an end of the interval that is not finite becomes None."""
        ends = self.interval and [end if math.isfinite(end) else None for end in self.interval]
        return {**asdict(self), "interval": ends}


# Numbers in words


def nats(value: float, signed: bool = False) -> str:
    """'0.831 nats (1.199 bits)'."""
    return f"{number(value, signed)} nats ({number(value * BITS_PER_NAT, signed)} bits)"


def number(value: float, signed: bool = False) -> str:
    """Three decimals with a true minus sign; infinities and nan in words a reader knows."""
    if math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "∞" if value > 0 and not signed else ("+∞" if value > 0 else "−∞")
    rounded = round(value, 3) or 0.0
    text = f"{rounded:+.3f}" if signed and rounded else f"{rounded:.3f}"
    return text.replace("-", "−")


def between(interval: Interval, signed: bool = False) -> str:
    """'[0.012, 0.034]'."""
    return f"[{number(interval[0], signed)}, {number(interval[1], signed)}]"


def span(interval: Interval, signed: bool = False) -> str:
    """'[0.012, 0.034] nats ([0.017, 0.049] bits)'."""
    bits = (interval[0] * BITS_PER_NAT, interval[1] * BITS_PER_NAT)
    return f"{between(interval, signed)} nats ({between(bits, signed)} bits)"


def interval_words(interval: Interval, seeds: int, signed: bool = False, unit: bool = True) -> str:
    """'95 % interval [0.012, 0.034] nats ([...] bits)', or that so few seeds give none."""
    if seeds < 2:
        return f"no interval from {counted(seeds, 'seed')}"
    return f"95 % interval {span(interval, signed) if unit else between(interval, signed)}"


def counted(n: int, noun: str) -> str:
    """'1 seed', '3 seeds'."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


# Rows to errors and intervals


def errors(rows: pd.DataFrame) -> Array:
    """Estimate - truth, one per row, shape (N,).

    A failed row (it raised) is missing data and is left out. A diverged row, or a value that is
    not finite, gave no estimate at all and counts as an infinite error.
    """
    kept = rows[rows["status"] != "failed"]
    error = (kept["nats"] - kept["truth"]).to_numpy(dtype=float)
    lost = (kept["status"] == "diverged").to_numpy() | ~np.isfinite(kept["nats"].to_numpy(float))
    return np.where(lost, np.inf, error)


def bootstrap_interval(
    groups: Sequence[Array],
    statistic: Callable[[list[Array]], Array],
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval; each group is resampled with replacement on its own.

    Args:
        groups: one array of shape (S_g,) per cell of the grid: a value for each seed.
        statistic: maps the groups' resamples, each of shape (R, S_g), to shape (R,).

    Returns:
        The interval's ends. They are infinite where infinite values reach them; a resample without
        a value (inf - inf) widens the interval to the whole line.
    """
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(group, size=(resamples, len(group))) for group in groups]
    with np.errstate(invalid="ignore"):
        values = np.sort(statistic(drawn))
    if np.isnan(values).any():
        return (-math.inf, math.inf)
    tail = (1.0 - level) / 2.0
    low = math.ceil(tail * resamples) - 1
    high = math.ceil((1.0 - tail) * resamples) - 1
    return float(values[low]), float(values[high])


def mean_interval(values: Array) -> Interval:
    """Bootstrap interval of the mean of one group, shape (S,)."""
    return bootstrap_interval([values], lambda drawn: drawn[0].mean(-1))


def root_mean_square(groups: Sequence[Array]) -> Array:
    """Over the groups' last axes together: shapes (..., S_g) to (...)."""
    return np.sqrt(np.mean(np.square(np.concatenate(groups, axis=-1)), axis=-1))


def summary(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """One line per group: what a figure or a table shows of the group's seeds.

    Columns: those of `by`; mean, low, high (of the ok seeds, nats; nan without any), truth, error,
    seconds (mean), and the counts ok, diverged, failed. A mean of one seed has no interval.
    """
    import pandas as pd

    nats, truths, seconds = (rows[n].to_numpy(dtype=float) for n in ("nats", "truth", "seconds"))
    statuses = {one: (rows["status"] == one).to_numpy() for one in ("ok", "diverged", "failed")}

    def line(at: Array) -> dict[str, Any]:
        values, known = nats[at[statuses["ok"][at]]], seconds[at[~np.isnan(seconds[at])]]
        mean = float(values.mean()) if len(values) else math.nan
        low, high = mean_interval(values) if len(values) > 1 else (math.nan, math.nan)
        truth = float(truths[at[0]])
        return {
            "mean": mean,
            "low": low,
            "high": high,
            "truth": truth,
            "error": mean - truth,
            "seconds": float(known.mean()) if len(known) else math.nan,
            **{status: int(has[at].sum()) for status, has in statuses.items()},
        }

    groups = rows[list(by)].reset_index(drop=True).groupby(list(by), sort=True, dropna=False)
    lines = [
        {**dict(zip(by, names, strict=True)), **line(group.index.to_numpy())}
        for names, group in groups
    ]
    columns = [*by, "mean", "low", "high", "truth", "error", "seconds", "ok", "diverged", "failed"]
    return pd.DataFrame(lines, columns=columns)


def points(rows: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The rows' training curves: the columns of a row, and `step` and `train_nats` of a point."""
    return rows.drop(columns="train_nats").merge(curves, on="key")


def pooled_mean(groups: Sequence[Array]) -> Array:
    """Mean over the groups' last axes together: shapes (..., S_g) to (...)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.concatenate(groups, axis=-1).mean(-1))


def differences(
    rows: pd.DataFrame, by: str, one: Any, two: Any, within: Sequence[str]
) -> list[Array]:
    """nats of `one` less nats of `two`, paired by seed: an array of shape (S,) for each cell.

    Args:
        rows: where they come from; failed rows are missing, a diverged one is infinitely far off.
        by: the column in which the two differ.
        within: the columns in which they agree, the seed aside.
    """
    kept = rows[(rows["status"] != "failed") & rows[by].isin([one, two])]
    numbered = kept.assign(row_=range(len(kept)))
    sides = numbered.pivot(index=[*within, "seed"], columns=by, values="row_")
    if not {one, two} <= set(sides.columns):
        return []
    sides = sides.dropna()  # seeds that one side alone has
    first, second = (errors(kept)[sides[side].to_numpy(int)] for side in (one, two))
    with np.errstate(invalid="ignore"):
        gaps = np.where(np.isinf(first) | np.isinf(second), np.inf, first - second)
    return by_cell(gaps, sides.index)


def by_cell(values: Array, index: pd.Index) -> list[Array]:
    """One array of shape (S,) for each cell, of values with a sorted index of cells and "seed"."""
    starts = ~index.droplevel("seed").duplicated()
    return np.split(values, np.flatnonzero(starts)[1:]) if len(values) else []


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


@dataclass(frozen=True)
class Check:
    """A mean error over seeds that must lie within +-tolerance (nats, or a plain number)."""

    label: str
    error: float
    interval: Interval
    tolerance: float
    seeds: int
    unit: bool = True

    @property
    def verdict(self) -> Verdict:
        return verdict_within(self.interval, -self.tolerance, self.tolerance, self.seeds)

    @property
    def strain(self) -> float:
        """How far the error reaches, in units of the tolerance."""
        return max(abs(self.error), abs(self.interval[0]), abs(self.interval[1])) / self.tolerance

    def __str__(self) -> str:
        if not self.unit:
            return (
                f"{self.label}: {number(self.error, signed=True)},"
                f" {interval_words(self.interval, self.seeds, signed=True, unit=False)},"
                f" tolerance ±{self.tolerance:.3g}"
            )
        return (
            f"{self.label}: {nats(self.error, signed=True)},"
            f" {interval_words(self.interval, self.seeds, signed=True)},"
            f" tolerance ±{nats(self.tolerance)}"
        )


def check(label: str, errors: Array, tolerance: float, unit: bool = True) -> Check:
    """The check of one group of seeds, shape (S,); of nats, unless `unit` is false."""
    if not len(errors):
        return Check(label, math.nan, (-math.inf, math.inf), tolerance, 0, unit)
    return Check(label, float(errors.mean()), mean_interval(errors), tolerance, len(errors), unit)


def difference(label: str, one: Array, two: Array, tolerance: float) -> Check:
    """The check of the difference of two independent means of errors, shapes (S,) and (S',)."""
    if not (len(one) and len(two)):
        return check(label, one[:0], tolerance)

    def gap(groups: Sequence[Array]) -> Array:
        return np.asarray(groups[0].mean(-1) - groups[1].mean(-1))

    with np.errstate(invalid="ignore"):
        value = float(gap([one, two]))
    interval = bootstrap_interval([one, two], gap)
    return Check(label, value, interval, tolerance, min(len(one), len(two)))


def strictest(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on "all of them": one failure decides, then one doubt."""
    found = set(verdicts)
    order: tuple[Verdict, ...] = ("not reproduced", "inconclusive", "reproduced")
    return next(one for one in order if one in found)


def all_within(checks: Sequence[Check]) -> tuple[Verdict, Check]:
    """Every check must hold: the verdict, and the check that decides it (the most strained one).

    "Reproduced" asks each interval to lie within its tolerance, which needs no correction for
    their number; "not reproduced" takes a single one that lies wholly outside.
    """
    verdict = strictest(one.verdict for one in checks)
    return verdict, max((c for c in checks if c.verdict == verdict), key=lambda c: c.strain)


def conclusion(
    checks: Sequence[Check], rows: pd.DataFrame, noun: str
) -> tuple[str, Verdict, Interval | None]:
    """What `all_within` finds, in words: measure, verdict, and the deciding check's interval.

    Args:
        checks: one a cell of the grid; without any the claim is inconclusive.
        rows: where the checks come from, to say what was lost.
        noun: what the checks are of, in the plural.
    """
    if not checks:
        return "this run has no rows for it", "inconclusive", None
    verdict, deciding = all_within(checks)
    inside = sum(abs(one.error) <= one.tolerance for one in checks)
    seeds = counted(min(one.seeds for one in checks), "seed")
    measured = (
        f"{inside} of {len(checks)} {noun} within tolerance on the mean over {seeds};"
        f" decided by {deciding}{lost(rows)}"
    )
    return measured, verdict, deciding.interval


def lost(rows: pd.DataFrame) -> str:
    """'; 2 of 33 cells diverged, 1 failed', or '' where nothing was lost."""
    parts = []
    for status in ("diverged", "failed"):
        n = int((rows["status"] == status).sum())
        if n:
            parts.append(f"{n} of {counted(len(rows), 'cell')} {status}")
    return "".join(f"; {part}" for part in parts)


def fewest_seeds(groups: Iterable[Array]) -> int:
    """Seeds behind the thinnest group; 0 without groups."""
    return min((len(group) for group in groups), default=0)
