"""Theorem 2: with width and rows enough, MINE is as near to I as one likes.

The error of an estimate on fresh samples is taken apart:

    I_n - I = (I_inf - I) + (I_n - I_inf),

the approximation gap, what the network of that width cannot tell (trained on fresh samples, as if
n were infinite), and the estimation gap, what n rows cost it. What the optimiser leaves undone in
its steps is in the first. Nothing is stopped early: the theorem is about the maximiser on the n
rows, and a wide network on few rows learns them by heart. X and Y are normal in R^d.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.checks import Finding, all_hold, check, compare, more_than
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Array
from experiments.suite.claims.rows import differences, errors
from experiments.suite.figures import style as marks
from experiments.suite.grid.cells import Cell, gaussian_task, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "Sec. 3.3, Theorem 2"
FIGURE = "consistency"
ROWS, FRESH = "rows", "fresh"
WIDE = 128
"""The least width that the claim of consistency is about."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Widths x rows x seeds, and each width on fresh samples."""
    experiment = config["experiment"]
    tasks = [gaussian_task(int(experiment["dim"]), experiment["nats"])]
    sizes = {ROWS: [int(n) for n in experiment["rows"]], FRESH: [0]}
    return [
        cell
        for role in experiment["panels"]
        for width in experiment["widths"]
        for n in sizes[role]
        for cell in panel_cells(
            role,
            tasks,
            config,
            {
                "experiment": {"n": n},
                "train": {"batch_size": experiment["batch_size"]},
                "critic": {"hidden": [int(width)]},
            },
        )
    ]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with n (infinite for fresh samples) and width as columns."""
    params = [json.loads(text) for text in rows["params"]]
    return rows.assign(
        n=[float(one["experiment"]["n"]) or math.inf for one in params],
        width=[int(one["critic"]["hidden"][0]) for one in params],
    )


# Claims. Measures and tolerances were written down before any run.


@claim(
    "consistency-error",
    paper=PAPER,
    figure=FIGURE,
    rule=f"mean error within ±0.05 nats (±0.072 bits) at the most rows, width {WIDE} or more",
)
def consistent(rows: pd.DataFrame) -> Finding | None:
    """With width and rows enough the estimate is as near to the truth as one likes.

    .05 nats is 5 % of the true value.
    """
    finite = rows[np.isfinite(rows["n"]) & (rows["width"] >= WIDE)]
    most = finite[finite["n"] == finite["n"].max()]
    checks = [
        check(f"width {width}", errors(group), 0.05) for width, group in most.groupby("width")
    ]
    return all_hold(checks, "widths", most)


def falls(
    poor: Sequence[Array], rich: Sequence[Array], what: str, rows: pd.DataFrame
) -> Finding | None:
    """The mean size of a gap is smaller in the second of two lists of groups, nats."""
    words = f"{what} falls by {{value}}, {{interval}}, over {{seeds}} a setting"
    return compare(poor, rich, mean_size, operator.sub, more_than(0.0), words, rows)


def mean_size(groups: Sequence[Array]) -> Array:
    """Mean over groups of |mean of the group|: shapes (..., S_g) to (...)."""
    return np.mean([np.abs(one.mean(-1)) for one in groups], axis=0)


ESTIMATION = "|I_n − I_∞|, mean over widths, from the fewest rows to the most"
APPROXIMATION = "|I_∞ − I| from the least width to the largest"
NO_ENDS = "this run has no two ends to compare"


@claim(
    "consistency-estimation",
    paper=PAPER,
    figure=FIGURE,
    rule=f"{ESTIMATION}: a fall above 0",
    missing=NO_ENDS,
)
def estimation(rows: pd.DataFrame) -> Finding | None:
    """The estimation gap vanishes as the rows grow."""
    n = rows.loc[np.isfinite(rows["n"]), "n"]
    if n.nunique() < 2:
        return None
    poor, rich = (
        differences(rows.assign(n_=rows["n"]), "n_", end, math.inf, ["width"])
        for end in (n.min(), n.max())
    )
    return falls(poor, rich, ESTIMATION, rows)


@claim(
    "consistency-approximation",
    paper=PAPER,
    figure=FIGURE,
    rule=f"{APPROXIMATION}: a fall above 0",
    missing=NO_ENDS,
)
def approximation(rows: pd.DataFrame) -> Finding | None:
    """The approximation gap vanishes as the network widens."""
    fresh = rows[~np.isfinite(rows["n"])]
    widths = fresh["width"]
    if widths.nunique() < 2:
        return None
    poor, rich = (errors(fresh[widths == end]) for end in (widths.min(), widths.max()))
    return falls([poor], [rich], APPROXIMATION, rows)


claims = [consistent, estimation, approximation]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Estimates against rows, and the two gaps apart."""
    with marks.style():
        return {FIGURE: draw(table(rows))}


def draw(rows: pd.DataFrame) -> Figure:
    figure = marks.new_figure(9.6, 4.6)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.5, 1.0, 1.0))
    ordered = rows.sort_values("width", kind="stable")
    named = ordered.assign(units=[f"width {width}" for width in ordered["width"]])
    plot_estimates(named, left)
    plot_gap(named, middle, estimation=True)
    plot_gap(named, right, estimation=False)
    steps, tested = marks.spread(rows["steps"]), marks.spread(rows["n_test"])
    dim = int(rows["dim"].iloc[0])
    marks.entitle(
        figure,
        f"Consistency: X and Y each {dim}-D normal, one hidden layer",
        rows,
        [
            f"{steps} steps on n rows (∞: fresh samples in every batch).",
            f"Tested on {tested} others. {marks.seed_note(rows)}.",
        ],
    )
    figure.set_label("Estimates against rows and width; estimation and approximation gaps apart.")
    return figure


def plot_estimates(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Estimate in nats against the rows of the training set, a line for each width."""
    counts = sorted(set(rows["n"]))
    place = rows.assign(at=[float(counts.index(n)) for n in rows["n"]])
    truth = float(rows["truth"].iloc[0])
    ax.set_ylim(-1.5 * truth, 1.6 * truth)
    marks.method_series(
        place, ax, "at", [float(i) for i in range(len(counts))], "nats", apart=True, by="units"
    )
    marks.truth_line(ax, [-0.5, len(counts) - 0.5], [truth, truth])
    names = ["∞" if math.isinf(n) else in_thousands(n) for n in counts]
    ax.set_xticks(range(len(counts)), names)
    ax.set_xlim(-0.5, len(counts) - 0.5)
    ax.set_xlabel("rows of the training set, n")
    ax.set_ylabel("mutual information, nats")
    return ax


def plot_gap(rows: pd.DataFrame, ax: Axes, estimation: bool) -> Axes:
    """Size of one gap in nats on log scales: against n for each width, or against width."""
    from matplotlib.ticker import NullLocator

    ok = rows[rows["status"] == "ok"]
    means = ok.groupby(["units", "width", "n"])["nats"].mean().reset_index()
    fresh = means[~np.isfinite(means["n"])].set_index("units")["nats"]
    shown = [n for n in rows["n"] if math.isfinite(n)] if estimation else list(rows["width"])
    ax.set_xlim(0.6 * min(shown, default=1.0), 1.7 * max(shown, default=1.0))
    ax.set_ylim(1e-4, 30.0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    marks.decades(ax.yaxis)
    ticks = sorted(set(shown))
    ax.set_xticks(ticks, [in_thousands(value) for value in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    if estimation:
        for units, look in marks.looks(rows, "units").items():
            own = means[(means["units"] == units) & np.isfinite(means["n"])]
            gaps = (own["nats"] - float(fresh.get(units, math.nan))).abs()
            ax.plot(own["n"], gaps, ms=4, lw=1.0, **{**look, "label": f"_{units}"})
        ax.set_title("estimation |I_n − I_∞|", loc="left")
        ax.set_xlabel("n")
    else:
        own = means[~np.isfinite(means["n"])].sort_values("width")
        truth = float(rows["truth"].iloc[0])
        ax.plot(own["width"], (own["nats"] - truth).abs(), "o-", color=marks.INK, ms=4, lw=1.0)
        ax.set_title("approximation |I_∞ − I|", loc="left")
        ax.set_xlabel("width")
    ax.set_ylabel("nats")
    return ax


def in_thousands(value: float) -> str:
    """'300', '3k', '300k'."""
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
