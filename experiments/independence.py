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

from experiments.suite.claims import claim as c
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


def claims(rows: pd.DataFrame) -> list[c.Claim]:
    """The test value does not cry wolf, the training value does, and the test value says no."""
    all_rows = table(rows)
    return [false_positives(all_rows), train_value(all_rows), test_value(all_rows)]


def false_positives(rows: pd.DataFrame) -> c.Claim:
    """The share of false positives among the lower bounds' cells is at most .1, twice nominal."""
    measured, interval, verdict = "this run has no lower bounds", None, "inconclusive"
    own = rows[rows["method"].isin(BOUNDS) & (rows["status"] != "failed")]
    groups = [g["false"].to_numpy(float) for _, g in own.groupby([*SETTING, "method"])]
    if groups:
        interval, seeds = c.bootstrap_interval(groups, c.pooled_mean), c.fewest_seeds(groups)
        verdict = c.verdict_within(interval, 0.0, 2 * NOMINAL, seeds)
        each = ", ".join(
            f"{label(method)} {int(group['false'].sum())} of {len(group)}"
            for method, group in own.groupby("method")
        )
        measured = (
            f"false positives: {each}; share {c.number(float(c.pooled_mean(groups)))},"
            f" {c.interval_words(interval, seeds, unit=False)}, over {c.counted(seeds, 'seed')}"
            f" a setting{c.lost(rows[rows['method'].isin(BOUNDS)])}"
        )
    return c.Claim(
        "independence-test",
        "independence",
        PAPER,
        "On samples that trained nothing, lower bounds find nothing where there is nothing.",
        measured,
        "share of values above 1.645 of their standard errors at most .1 (nominal .05)",
        verdict,  # type: ignore[arg-type]
        FIGURE if len(rows) else "",
        interval,
    )


def hardest(rows: pd.DataFrame) -> pd.DataFrame:
    """MINE's rows at the fewest rows and the most dimensions, all tails."""
    own = rows[(rows["method"] == "mine") & (rows["status"] != "failed")]
    return own[(own["n"] == own["n"].min()) & (own["dim"] == own["dim"].max())]


def train_value(rows: pd.DataFrame) -> c.Claim:
    """MINE's training value at the least n and the largest d is above .1 nats."""
    own = hardest(rows)
    groups = [g["train_nats"].to_numpy(float) for _, g in own.groupby("tails")]
    return at_hardest(
        rows,
        own,
        [np.where(np.isfinite(group), group, math.inf) for group in groups],
        (0.1, math.inf),
        "independence-train",
        "On its own training rows, MINE finds information where there is none.",
        "mean training value above 0.1 nats (0.144 bits) at the fewest rows and largest d",
    )


def test_value(rows: pd.DataFrame) -> c.Claim:
    """MINE's test value at the least n and the largest d is below 0."""
    own = hardest(rows)
    return at_hardest(
        rows,
        own,
        [c.errors(group) for _, group in own.groupby("tails")],
        (-math.inf, math.nextafter(0.0, -1.0)),
        "independence-below",
        "On fresh samples that same critic is below 0, and not clipped to it.",
        "mean test value below 0 at the fewest rows and largest d",
    )


def at_hardest(
    rows: pd.DataFrame,
    own: pd.DataFrame,
    groups: list[c.Array],
    wanted: c.Interval,
    name: str,
    statement: str,
    tolerance: str,
) -> c.Claim:
    """The claim that the mean of the groups lies in `wanted`."""
    measured, interval, verdict = "this run has no rows of MINE", None, "inconclusive"
    if groups:
        interval, seeds = c.bootstrap_interval(groups, c.pooled_mean), c.fewest_seeds(groups)
        verdict = c.verdict_within(interval, *wanted, seeds)
        measured = (
            f"n = {own['n'].iloc[0]}, d = {own['dim'].iloc[0]}:"
            f" {c.nats(float(c.pooled_mean(groups)), signed=True)},"
            f" {c.interval_words(interval, seeds, signed=True)}, over"
            f" {c.counted(seeds, 'seed')} each of {c.counted(len(groups), 'tail')}{c.lost(own)}"
        )
    return c.Claim(
        name, "independence", PAPER, statement, measured, tolerance,
        verdict, FIGURE if len(rows) else "", interval,  # type: ignore[arg-type]
    )  # fmt: skip


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
