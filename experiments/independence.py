"""At truth 0: what each method finds where there is nothing to be found.

X and Y are independent normals in R^d, as they are or with each coordinate cubed (tails that no
critic has seen the end of). Networks are trained on n rows to the end of their steps and tested
on fresh samples: the training value is what a report on training rows would say. A false positive
is a test value that lies more than 1.645 of its standard errors above 0: the one-sided test of
nominal 5 %.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.checks import Finding, less_than, measure
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Array, Interval, pooled_mean
from experiments.suite.claims.rows import errors
from experiments.suite.claims.wording import counted
from experiments.suite.figures.axes import even_axis, symmetric_log, truth_level
from experiments.suite.figures.labels import label, spread
from experiments.suite.figures.notes import seed_note, titled_figure
from experiments.suite.figures.palette import INK, order, palette
from experiments.suite.figures.series import method_series
from experiments.suite.grid.cells import Cell, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "this suite's question: truth 0"
FIGURE = "independence"
BOUNDS = ("mine", "mine_f", "infonce")
"""The lower bounds among the methods: what they say must not be above 0."""
SCORE, NOMINAL = 1.645, 0.05
SETTING = ["n", "dim", "tails"]


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Rows x dimensions x tails x methods x seeds."""
    experiment = config["experiment"]
    return [
        cell
        for role in experiment["panels"]
        for n in experiment["rows"]
        for cell in panel_cells(
            role,
            [
                independent(int(dim), str(tails))
                for dim in experiment["dims"]
                for tails in experiment["tails"]
            ],
            config,
            {"experiment": {"n": int(n)}, "train": {"batch_size": experiment["batch_size"]}},
        )
    ]


def independent(dim: int, tails: str) -> dict[str, Any]:
    """Independent normals, or their cubes."""
    base = {"_target_": "mine.tasks.CorrelatedGaussian", "dim": dim, "rho": 0.0}
    if tails == "normal":
        return base
    return {"_target_": "mine.tasks.Warped", "base": base, "map_x": "cube", "map_y": "cube"}


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with n, tails and whether they are false positives (0 or 1) as columns.

    A failed row is missing; a diverged one gave no estimate and counts as a false positive.
    """
    params = [json.loads(text) for text in rows["params"]]
    found = (rows["nats"] > SCORE * rows["stderr"]) | (rows["status"] == "diverged")
    return rows.assign(
        n=[int(one["experiment"]["n"]) for one in params],
        tails=["cubed" if "base" in one else "normal" for one in params],
        false=found.astype(float),
    )


# Claims. Measures and tolerances were written down before any run.


@claim(
    "independence-test",
    paper=PAPER,
    figure=FIGURE,
    rule="share of values above 1.645 of their standard errors at most .1 (nominal .05)",
    missing="this run has no lower bounds",
)
def false_positives(rows: pd.DataFrame) -> Finding | None:
    """On samples that trained nothing, lower bounds find nothing where there is nothing.

    The share of false positives may be twice nominal.
    """
    bounds = rows[rows["method"].isin(BOUNDS)]
    own = bounds[bounds["status"] != "failed"]
    each = ", ".join(
        f"{label(method)} {int(group['false'].sum())} of {len(group)}"
        for method, group in own.groupby("method")
    )
    return measure(
        [group["false"].to_numpy(float) for _, group in own.groupby([*SETTING, "method"])],
        pooled_mean,
        (0.0, 2 * NOMINAL),
        f"false positives: {each}; share {{value}}, {{interval}}, over {{seeds}} a setting",
        bounds,
        unit=False,
        signed=False,
    )


@claim(
    "independence-train",
    paper=PAPER,
    figure=FIGURE,
    rule="mean training value above 0.1 nats (0.144 bits) at the fewest rows and largest d",
    missing="this run has no rows of MINE",
)
def train_value(rows: pd.DataFrame) -> Finding | None:
    """On its own training rows, MINE finds information where there is none."""
    own = hardest(rows)
    values = own["train_nats"].where(np.isfinite(own["train_nats"]), math.inf)
    groups = [group.to_numpy(float) for _, group in values.groupby(own["tails"])]
    return at_hardest(own, groups, (0.1, math.inf))


@claim(
    "independence-below",
    paper=PAPER,
    figure=FIGURE,
    rule="mean test value below 0 at the fewest rows and largest d",
    missing="this run has no rows of MINE",
)
def test_value(rows: pd.DataFrame) -> Finding | None:
    """On fresh samples that same critic is below 0, and not clipped to it."""
    own = hardest(rows)
    return at_hardest(own, [errors(group) for _, group in own.groupby("tails")], less_than(0.0))


def hardest(rows: pd.DataFrame) -> pd.DataFrame:
    """MINE's rows at the fewest rows and the most dimensions, all tails."""
    own = rows[(rows["method"] == "mine") & (rows["status"] != "failed")]
    return own[(own["n"] == own["n"].min()) & (own["dim"] == own["dim"].max())]


def at_hardest(rows: pd.DataFrame, groups: list[Array], bounds: Interval) -> Finding | None:
    """The mean of the groups, an array of shape (S,) for each tail, lies within bounds."""
    if not groups:
        return None
    words = (
        f"n = {rows['n'].iloc[0]}, d = {rows['dim'].iloc[0]}: {{value}}, {{interval}},"
        f" over {{seeds}} each of {counted(len(groups), 'tail')}"
    )
    return measure(groups, pooled_mean, bounds, words, rows)


claims = [false_positives, train_value, test_value]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Test values, training values, and false positives."""
    return {FIGURE: draw(table(rows))}


def draw(rows: pd.DataFrame) -> Figure:
    settings = sorted(
        set(zip(rows["n"], rows["tails"], strict=True)), key=lambda s: (s[0], s[1] != "normal")
    )
    steps = spread(rows.loc[rows["steps"] > 0, "steps"])
    with titled_figure(
        2.5 * len(settings) + 0.8,
        7.2,
        title="Nothing to be found: X and Y independent",
        caption="Independent X and Y: test value, training value and false positives of each"
        " method.",
        rows=rows,
        notes=[
            (
                f"Networks: {steps} steps on n rows, tested on fresh samples. {seed_note(rows)}."
                " Symmetric log scale."
            ),
            "False positive: a value more than 1.645 standard errors above 0.",
        ],
    ) as figure:
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(2.4, 1.0)).flat
        axes = above.subplots(2, len(settings), squeeze=False, sharex=True, sharey="row")
        for (test, train), (n, tails) in zip(axes.T, settings, strict=True):
            own = rows[(rows["n"] == n) & (rows["tails"] == tails)]
            plot_values(own, test, "nats")
            plot_values(own[own["steps"] > 0], train, "train_nats")
            words = "normal" if tails == "normal" else "cubed normal"
            test.set_title(f"n = {n:,}, {words}")
            train.set_xlabel("dimension of X and of Y")
        axes[0, 0].set_ylabel("test value, nats")
        axes[1, 0].set_ylabel("training value, nats")
        plot_rates(rows, below.subplots())
    return figure


def plot_values(rows: pd.DataFrame, ax: Axes, value: str) -> Axes:
    """Values in nats against dimension, on a symmetric log scale."""
    dims = sorted(set(rows["dim"]))
    ax.set_ylim(-30.0, 30.0)
    symmetric_log(ax, linear=0.1)
    method_series(rows, ax, "dim", dims, value, apart=True, joined=False)
    truth_level(ax, len(dims))
    even_axis(ax, [str(dim) for dim in dims])
    return ax


def plot_rates(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Share of false positives of each method over all its cells, with their number."""
    kept = rows[rows["status"] != "failed"]
    methods = [m for m in order(set(rows["method"])) if (kept["method"] == m).any()]
    colours = palette(methods)
    for i, method in enumerate(methods):
        found = kept.loc[kept["method"] == method, "false"]
        share = float(found.mean())
        ax.bar(i, share, 0.6, color=colours[method], zorder=2)
        text = f"{int(found.sum())} of {len(found)}"
        ax.annotate(text, (i, share), (0, 2), textcoords="offset points", ha="center", fontsize=7)
    ax.axhline(NOMINAL, color=INK, ls=":", lw=0.9, zorder=3)
    right = ax.get_yaxis_transform()  # at the right of the axes: in them a bar would hide it
    ax.text(1.005, NOMINAL, "nominal .05", transform=right, fontsize=7, va="center")
    even_axis(ax, [label(method) for method in methods])
    rates = kept.groupby("method")["false"].mean()
    ax.set_ylim(0.0, max(0.15, 1.2 * float(rates.max() or 0.0)) if len(kept) else 1.0)
    ax.set_ylabel("false positives")
    return ax
