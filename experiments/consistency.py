"""Theorem 2: with width and rows enough, MINE is as near to I as one likes.

The error of an estimate on fresh samples is taken apart:

    I_n - I = (I_inf - I) + (I_n - I_inf),

the approximation gap, what the network of that width cannot tell (trained on fresh samples, as if
n were infinite), and the estimation gap, what n rows cost it. What the optimiser leaves undone in
its steps is in the first. Nothing is stopped early: the theorem is about the maximiser on the n
rows, and a wide network overfits few rows. X and Y are normal in R^d.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.checks import Finding, all_hold, check, compare, more_than
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Array
from experiments.suite.claims.rows import differences, errors
from experiments.suite.figures.axes import decades, even_axis, log_axis, truth_level
from experiments.suite.figures.labels import dim_of, spread
from experiments.suite.figures.notes import seed_note, titled_figure
from experiments.suite.figures.palette import INK, looks
from experiments.suite.figures.series import method_series
from experiments.suite.grid.cells import Cell, gaussian_task, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "Sec. 3.3, Theorem 2"
FIGURE = "consistency"
FRESH = 0
"""The n of a stream of fresh samples: as if n were infinite."""
SMALLEST_GAP = 1e-5
"""Nats: what is below is drawn at the edge, if at all."""
WIDE = 128
"""The least width that the claim of consistency is about."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Widths x rows x seeds, and each width on fresh samples.

    All are of one panel, and so are tested on the same samples, a seed at a time: the error of
    the test samples is not in I_n - I_inf.
    """
    experiment = config["experiment"]
    tasks = [gaussian_task(int(experiment["dim"]), experiment["nats"])]
    return [
        cell
        for role in experiment["panels"]
        for width in experiment["widths"]
        for n in [*map(int, experiment["rows"]), FRESH]
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
    return {FIGURE: draw(table(rows))}


def draw(rows: pd.DataFrame) -> Figure:
    ordered = rows.sort_values("width", kind="stable")
    named = ordered.assign(units=[f"width {width}" for width in ordered["width"]])
    with titled_figure(
        9.6,
        4.6,
        title=f"Consistency: X and Y each {dim_of(rows)}-D normal, one hidden layer",
        caption="Estimates against rows and width; estimation and approximation gaps apart.",
        rows=rows,
        notes=[
            (
                f"I(n): the value after {spread(rows['steps'])} steps on n rows (∞: fresh samples"
                " in every batch)."
            ),
            f"Tested on {spread(rows['n_test'])} others. {seed_note(rows)}.",
        ],
    ) as figure:
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.5, 1.0, 1.0))
        plot_estimates(named, left)
        plot_estimation_gap(named, middle)
        plot_approximation_gap(named, right)
        zoom_gaps(middle, right)
    return figure


def plot_estimates(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Estimate in nats against the rows of the training set, a line for each width."""
    counts = sorted(set(rows["n"]))
    place = rows.assign(at=[float(counts.index(n)) for n in rows["n"]])
    truth = float(rows["truth"].iloc[0])
    ax.set_ylim(*around([*rows["nats"], truth], -1.5 * truth, 1.6 * truth))
    at = [float(i) for i in range(len(counts))]
    method_series(place, ax, "at", at, "nats", apart=True, by="units")
    truth_level(ax, len(counts), truth)
    even_axis(ax, ["∞" if math.isinf(n) else in_thousands(n) for n in counts])
    ax.set(xlabel="rows of the training set, n", ylabel="mutual information, nats")
    return ax


def around(values: Iterable[float], low: float, high: float) -> tuple[float, float]:
    """The limits of an axis: the finite values with a margin, within low and high."""
    finite = [value for value in values if math.isfinite(value)]
    margin = 0.2 * (max(finite) - min(finite)) + 0.01
    return max(min(finite) - margin, low), min(max(finite) + margin, high)


def mean_values(rows: pd.DataFrame) -> pd.DataFrame:
    """The mean value over seeds of each units, width and n, and whether n is finite."""
    ok = rows[rows["status"] == "ok"]
    means = ok.groupby(["units", "width", "n"])["nats"].mean().reset_index()
    return means.assign(finite=np.isfinite(means["n"]))


def plot_estimation_gap(rows: pd.DataFrame, ax: Axes) -> Axes:
    """|I_n - I_inf| in nats against n on log scales, a line for each width."""
    means = mean_values(rows)
    fresh = means[~means["finite"]].set_index("units")["nats"]
    gap_axes(ax, [n for n in rows["n"] if math.isfinite(n)])
    for units, look in looks(rows, "units").items():
        own = means[(means["units"] == units) & means["finite"]]
        gaps = (own["nats"] - float(fresh.get(units, math.nan))).abs()
        ax.plot(own["n"], gaps, ms=4, lw=1.0, **{**look, "label": f"_{units}"})
    ax.set_xlabel("n")
    ax.set_title("estimation, |I(n) − I(∞)|")
    return ax


def plot_approximation_gap(rows: pd.DataFrame, ax: Axes) -> Axes:
    """|I_inf - I| in nats against width on log scales."""
    means = mean_values(rows)
    own = means[~means["finite"]].sort_values("width")
    gap_axes(ax, list(rows["width"]))
    gaps = (own["nats"] - float(rows["truth"].iloc[0])).abs()
    ax.plot(own["width"], gaps, "o-", color=INK, ms=4, lw=1.0)
    ax.set_xlabel("width")
    ax.set_title("approximation, |I(∞) − I|")
    return ax


def zoom_gaps(*axes: Axes) -> None:
    """One scale for the gaps that were drawn."""
    drawn = np.concatenate(
        [np.asarray(line.get_ydata(), float) for ax in axes for line in ax.lines]
    )
    most = max((float(gap) for gap in drawn if math.isfinite(gap)), default=1.0)
    for ax in axes:
        ax.set_ylim(SMALLEST_GAP, min(max(3.0 * most, 100 * SMALLEST_GAP), 30.0))


def gap_axes(ax: Axes, values: Sequence[float]) -> None:
    """Log scales with ticks at these values."""
    ticks = sorted(set(values))
    ax.set(yscale="log", ylim=(SMALLEST_GAP, 30.0), ylabel="nats")
    log_axis(ax, ticks, [in_thousands(value) for value in ticks])
    decades(ax.yaxis)


def in_thousands(value: float) -> str:
    """'300', '3k', '300k'."""
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
