r"""What n samples can tell: estimates and their variance against true values of 0 to 40 nats.

Any distribution-free lower bound that holds with high confidence is O(ln n) on n samples
(McAllester and Stratos 2020), and the variance of the partition term of DV and NWJ is at least

    Var[mean of e^T over n pairs of Q] / E[...]^2 >= (e^I - 1) / n

at the best critic (Song and Ermon 2020, Theorem 2). X and Y are normal in R^d; critics are
trained on a fixed data set and tested on n_test other rows with one marginal partner each, so
that n of the law is n_test. The variance is that which a value reports of itself, the square of
its standard error: where rare pairs carry the mean, a sample without them does not know it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.checks import (
    Check,
    Finding,
    Verdict,
    all_hold,
    check,
    strictest,
    verdict_within,
)
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Array, fewest_seeds, mean_interval
from experiments.suite.claims.rows import errors
from experiments.suite.claims.wording import between, counted, number
from experiments.suite.figures.axes import decades, even_axis, shade_uncertified, truth_line
from experiments.suite.figures.labels import dim_of, spread
from experiments.suite.figures.notes import seed_note, titled_figure
from experiments.suite.figures.palette import INK, looks
from experiments.suite.figures.series import method_series
from experiments.suite.grid.cells import Cell, gaussian_task, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "McAllester and Stratos 2020"
VARIANCE = "Song and Ermon 2020, Theorem 2"
FIGURE = "limits"
NEAR = 0.1
"""The share of the truth that counts as near it."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """True values x methods x seeds, on fixed data sets."""
    experiment = config["experiment"]
    tasks = [gaussian_task(int(experiment["dim"]), nats) for nats in experiment["nats"]]
    setting = {"experiment": {"n": int(experiment["rows"])}, "estimator": {"partners": 1}}
    return [
        cell for role in experiment["panels"] for cell in panel_cells(role, tasks, config, setting)
    ]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with their level: the truth to the third digit."""
    return rows.assign(level=rows["truth"].round(3) + 0.0)


def law(nats: float, n: int) -> float:
    """(e^I - 1) / n: the least variance of the partition term, relative to its mean's square."""
    return math.expm1(nats) / n


# Claims. Measures and tolerances were written down before any run.


OPPOSITE: dict[Verdict, Verdict] = {
    "reproduced": "not reproduced",
    "not reproduced": "reproduced",
    "inconclusive": "inconclusive",
}


def known(rows: pd.DataFrame, method: str) -> pd.DataFrame:
    """A method's rows that did not fail."""
    return rows[(rows["method"] == method) & (rows["status"] != "failed")]


def relative(rows: pd.DataFrame) -> list[Check]:
    """For each level beyond ln n_test, the mean of error / truth against +-10 %."""
    far = rows[rows["level"] > np.log(rows["n_test"].max())]
    return [
        check(f"truth {level:g} nats, error / truth", errors(group) / float(str(level)), NEAR)
        for level, group in far.groupby("level")
    ]


def words_of(checks: list[Check]) -> str:
    """'error of the truth: 16 nats −23 % [−25, −20], ..., over {seeds} a level'."""

    def percent(value: float) -> str:
        return f"{100 * value:+.0f}".replace("-", "−") if math.isfinite(value) else "±∞"

    levels = ", ".join(
        f"{one.label.split()[1]} nats {percent(one.value)} %"
        f" [{percent(one.interval[0])}, {percent(one.interval[1])}]"
        for one in checks
    )
    return f"error of the truth: {levels}, over {{seeds}} a level"


@claim(
    "limits-bounds",
    paper=PAPER,
    figure=FIGURE,
    rule="MINE's mean error beyond ±10 % of the truth at every level above ln n_test",
    missing="this run has no rows of MINE beyond ln n",
)
def uncertified(rows: pd.DataFrame) -> Finding | None:
    """A lower bound from n samples does not tell values beyond ln n.

    Not reproduced where the interval of one level lies within +-10 %.
    """
    own = known(rows, "mine")
    checks = relative(own)
    found = all_hold(checks, "levels", own, words_of(checks))
    return found and replace(
        found,
        verdict=strictest(OPPOSITE[one.verdict] for one in checks),
        interval=min(checks, key=lambda one: abs(one.value)).interval,
    )


@claim(
    "limits-variance",
    paper=VARIANCE,
    figure=FIGURE,
    rule="log of stderr² n / (e^I − 1) at least 0 at each level up to ln(n_test)/2",
    missing="this run has no rows of MINE-f up to ln(n) / 2",
)
def variance(rows: pd.DataFrame) -> Finding | None:
    """The variance of NWJ (MINE-f) is at least (e^I − 1)/n.

    Measured at each level of 0 < I <= ln(n_test) / 2. Beyond half of ln n the sample's own
    standard error misses the rare pairs that carry the variance, and falls below what it should
    be. A diverged cell has an infinite variance.
    """
    own = known(rows, "mine_f")
    own = own[(own["level"] > 0) & (own["level"] <= 0.5 * np.log(own["n_test"]))]
    found = {float(str(level)): log_excess(group) for level, group in own.groupby("level")}
    if not found:
        return None
    intervals, seeds = [mean_interval(one) for one in found.values()], fewest_seeds(found.values())
    each = ", ".join(
        f"{number(math.exp(min(float(values.mean()), 700.0)))} at {level:g} nats"
        for level, values in found.items()
    )
    words = (
        f"variance over (e^I − 1)/n (geometric mean): {each}; least 95 % interval of its log"
        f" {between(min(intervals), signed=True)}, over {counted(seeds, 'seed')} a level"
    )
    verdict = strictest(verdict_within(one, 0.0, math.inf, seeds) for one in intervals)
    return Finding(words, verdict, min(intervals), own)


def log_excess(rows: pd.DataFrame) -> Array:
    """ln(stderr^2 n / (e^I - 1)) of one level's rows, (S,); infinite where a cell diverged."""
    least = law(float(rows["level"].iloc[0]), int(rows["n_test"].iloc[0]))
    squares = np.square(rows["stderr"].to_numpy(float))
    lost = (rows["status"] == "diverged").to_numpy() | ~np.isfinite(squares)
    return np.where(lost, math.inf, np.log(squares / least))


@claim(
    "limits-entropies",
    paper=PAPER,
    figure=FIGURE,
    rule="DoE's mean error within ±10 % of the truth at every level above ln n_test",
    missing="this run has no rows of DoE beyond ln n",
)
def entropies(rows: pd.DataFrame) -> Finding | None:
    """A difference of entropies tells values beyond ln n."""
    own = known(rows, "doe")
    checks = relative(own)
    return all_hold(checks, "levels", own, words_of(checks))


claims = [uncertified, variance, entropies]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Estimates against the truth, and their variance with the law."""
    return {FIGURE: draw(table(rows))}


def draw(rows: pd.DataFrame) -> Figure:
    trained = rows["n_train"].where(rows["status"] != "failed", rows["n_train"].max())
    with titled_figure(
        9.0,
        4.8,
        title=f"What n samples can tell: X and Y each {dim_of(rows)}-D normal",
        caption="Estimates and their variance against true values of 0 to 40 nats.",
        rows=rows,
        notes=[
            (
                f"Trained on {spread(trained)} rows, tested on {spread(rows['n_test'])} others,"
                " one marginal partner each."
            ),
            f"{seed_note(rows)}.",
        ],
    ) as figure:
        left, right = figure.subplots(1, 2)
        plot_estimates(rows, left)
        plot_variance(rows, right)
    return figure


def plot_estimates(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Estimate in nats against the truth, both linear; ln n_test as an edge."""
    levels = sorted(set(rows["level"]))
    ax.set_ylim(-2.0, 1.25 * max(max(levels), 1.0))
    shade_uncertified(ax, int(rows["n_test"].max()))
    method_series(rows, ax, "level", levels, "nats")
    truth_line(ax, range(len(levels)), levels)
    level_axis(ax, levels)
    ax.set_ylabel("estimate, nats")
    return ax


def plot_variance(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Variance (squared standard errors, mean over seeds) on a log scale, with the law."""
    levels = sorted(set(rows["level"]))
    n_test = max(int(rows["n_test"].max()), 1)
    ax.set(ylim=(1e-7, 1e5), yscale="log")
    decades(ax.yaxis)
    kept = rows[(rows["status"] == "ok") & (rows["stderr"] > 0)]
    for method, look in looks(rows).items():
        own = kept[kept["method"] == method]
        squares = own.assign(square=own["stderr"] ** 2).groupby("level")["square"].mean()
        at = [levels.index(level) for level in squares.index]
        ax.plot(at, squares, ms=4, lw=1.0, **{**look, "label": "_" + look["label"]})
    place = np.array([i for i, level in enumerate(levels) if level > 0])
    least = [law(level, n_test) for level in levels if level > 0]
    ax.plot(place, least, color=INK, ls=":", lw=1.1, label="(eᴵ − 1) / n")
    level_axis(ax, levels)
    ax.set_ylabel("variance over test rows, nats²")
    return ax


def level_axis(ax: Axes, levels: list[float]) -> None:
    even_axis(ax, [f"{level:g}" for level in levels])
    ax.set_xlabel("true mutual information, nats")
