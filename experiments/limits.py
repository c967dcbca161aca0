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
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims import claim as c
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


def claims(rows: pd.DataFrame) -> list[c.Claim]:
    """Beyond ln n bounds fail, the law of the variance holds, differences of entropies go on."""
    all_rows = table(rows)
    return [uncertified(all_rows), variance(all_rows), entropies(all_rows)]


def relative(rows: pd.DataFrame) -> list[c.Check]:
    """For each level beyond ln n_test, the mean of error / truth against +-10 %."""
    far = rows[rows["level"] > np.log(rows["n_test"].max())] if len(rows) else rows
    return [
        c.check(f"truth {level:g} nats, error / truth", c.errors(group) / float(str(level)), NEAR)
        for level, group in far.groupby("level")
    ]


def words(checks: list[c.Check]) -> str:
    """'−23 % [−25, −20] at 16 nats, ...'."""

    def percent(value: float) -> str:
        return f"{100 * value:+.0f}".replace("-", "−") if math.isfinite(value) else "±∞"

    return ", ".join(
        f"{one.label.split()[1]} nats {percent(one.error)} %"
        f" [{percent(one.interval[0])}, {percent(one.interval[1])}]"
        for one in checks
    )


def uncertified(rows: pd.DataFrame) -> c.Claim:
    """Beyond ln n_test MINE's mean error is more than 10 % of the truth, at every level.

    Not reproduced where one level's interval lies within +-10 %.
    """
    own = rows[(rows["method"] == "mine") & (rows["status"] != "failed")]
    checks = relative(own)
    measured, interval = "this run has no rows of MINE beyond ln n", None
    verdict: c.Verdict = "inconclusive"
    if checks:
        opposite: dict[c.Verdict, c.Verdict] = {
            "reproduced": "not reproduced",
            "not reproduced": "reproduced",
            "inconclusive": "inconclusive",
        }
        verdict = c.strictest(opposite[one.verdict] for one in checks)
        interval = min(checks, key=lambda one: abs(one.error)).interval
        measured = (
            f"error of the truth: {words(checks)}, over"
            f" {c.counted(min(one.seeds for one in checks), 'seed')} a level{c.lost(own)}"
        )
    return c.Claim(
        "limits-bounds",
        "limits",
        PAPER,
        "A lower bound from n samples does not tell values beyond ln n.",
        measured,
        "MINE's mean error beyond ±10 % of the truth at every level above ln n_test",
        verdict,
        FIGURE if len(rows) else "",
        interval,
    )


def variance(rows: pd.DataFrame) -> c.Claim:
    """MINE-f: ln(stderr^2 n / (e^I - 1)) is at least 0 at each level of 0 < I <= ln(n_test) / 2.

    Beyond half of ln n the sample's own standard error misses the rare pairs that carry the
    variance, and falls below what it should be. A diverged cell has an infinite variance.
    """
    measured, interval = "this run has no rows of MINE-f up to ln(n) / 2", None
    verdict: c.Verdict = "inconclusive"
    own = rows[(rows["method"] == "mine_f") & (rows["status"] != "failed") & (rows["level"] > 0)]
    own = own[own["level"] <= 0.5 * np.log(own["n_test"])] if len(own) else own
    found: dict[float, c.Array] = {}
    for level, group in own.groupby("level"):
        least = law(float(str(level)), int(group["n_test"].iloc[0]))
        squares = np.square(group["stderr"].to_numpy(float))
        lost = (group["status"] == "diverged").to_numpy() | ~np.isfinite(squares)
        found[float(str(level))] = np.where(lost, math.inf, np.log(squares / least))
    if found:
        intervals = {level: c.mean_interval(values) for level, values in found.items()}
        seeds = c.fewest_seeds(found.values())
        verdict = c.strictest(
            c.verdict_within(one, 0.0, math.inf, seeds) for one in intervals.values()
        )
        interval = min(intervals.values())
        each = ", ".join(
            f"{c.number(math.exp(min(float(values.mean()), 700.0)))} at {level:g} nats"
            for level, values in found.items()
        )
        measured = (
            f"variance over (e^I − 1)/n (geometric mean): {each}; least 95 % interval of its log"
            f" {c.between(interval, signed=True)}, over {c.counted(seeds, 'seed')} a level"
            + c.lost(own)
        )
    return c.Claim(
        "limits-variance",
        "limits",
        VARIANCE,
        "The variance of NWJ (MINE-f) is at least (e^I − 1)/n.",
        measured,
        "log of stderr² n / (e^I − 1) at least 0 at each level up to ln(n_test)/2",
        verdict,
        FIGURE if len(rows) else "",
        interval,
    )


def entropies(rows: pd.DataFrame) -> c.Claim:
    """Difference of entropies: mean error within 10 % of the truth at every level above ln n."""
    own = rows[(rows["method"] == "doe") & (rows["status"] != "failed")]
    checks = relative(own)
    measured, interval = "this run has no rows of DoE beyond ln n", None
    verdict: c.Verdict = "inconclusive"
    if checks:
        verdict, deciding = c.all_within(checks)
        interval = deciding.interval
        measured = (
            f"error of the truth: {words(checks)}, over"
            f" {c.counted(min(one.seeds for one in checks), 'seed')} a level{c.lost(own)}"
        )
    return c.Claim(
        "limits-entropies",
        "limits",
        PAPER,
        "A difference of entropies tells values beyond ln n.",
        measured,
        "DoE's mean error within ±10 % of the truth at every level above ln n_test",
        verdict,
        FIGURE if len(rows) else "",
        interval,
    )


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
    ax.plot(place, least, color=INK, ls=":", lw=1.1, label="(e^I − 1) / n")
    level_axis(ax, levels)
    ax.set_ylabel("variance over test rows, nats²")
    return ax


def level_axis(ax: Axes, levels: list[float]) -> None:
    even_axis(ax, [f"{level:g}" for level in levels])
    ax.set_xlabel("true mutual information, nats")
