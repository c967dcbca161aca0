"""Beside other estimators: the 40 tasks of Beyond Normal at three numbers of rows.

Czyz et al., "Beyond Normal", NeurIPS 2023, https://arxiv.org/abs/2306.11078: the tasks. Franzese,
Rossi and Michiardi, "Alice", 2026, https://arxiv.org/abs/2609.34962, Table 2: mean absolute errors
that others reach with 1,000, 5,000 and 10,000 rows. Those figures are as printed there, and were
not run here. There Alice trains nothing on the data, and its competitors are tuned per task; here
every method has one setting for all tasks, that of `mine.estimate`.

Two measures, since the source does not say which of them it prints: the mean over tasks and seeds
of |estimate - truth|, and the mean over tasks of |mean estimate - truth|, which is never larger.

Not one of the experiments that `make reproduce` runs: it takes hours on 2 cores. `make comparison`
runs it and writes docs/comparison.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.checks import Check, Finding, all_hold, less_than, number_of
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Array, fewest_seeds, pooled_mean
from experiments.suite.claims.wording import counted, interval_words, nats
from experiments.suite.figures.axes import plain_log_ticks, text_heights, ticks_at
from experiments.suite.figures.notes import seed_note, titled_figure
from experiments.suite.figures.palette import GRID, INK, OF_OTHERS, looks, order
from experiments.suite.task_tables import tables
from experiments.suite.task_tables.findings import NO_ROWS, nearer
from experiments.suite.task_tables.tables import table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.suite.grid.cells import Cell

__all__ = ["cells", "claims", "figures", "table"]

PAPER = "Franzese et al. 2026, Table 2"
FIGURE, INTERVALS = "comparison", "comparison_intervals"
OWN = "auto"
TEXT_GAP = 0.032
"""The least distance of the printed estimators' names, as a share of the axis' height."""
TASKS = 40
"""The first so many tasks of the list are those of Czyz et al."""
PRINTED_ROWS = 1000, 5000, 10000
PRINTED: Mapping[str, tuple[float, float, float]] = {
    "Alice Base": (0.092, 0.063, 0.060),
    "Alice Small": (0.101, 0.103, 0.104),
    "InfoAtlas": (0.253, 0.271, 0.276),
    "MINDE-C": (0.353, 0.070, 0.065),
    "MINE": (0.248, 0.117, 0.108),
    "InfoNCE": (0.887, 0.123, 0.083),
    "D-V": (1.229, 0.279, 0.144),
    "NWJ": (math.inf, 1.261, 0.130),  # printed as > 10
    "KSG": (0.288, 0.240, 0.219),
    "CCA": (0.195, 0.192, 0.181),
}
"""Mean absolute error in nats at `PRINTED_ROWS`, as printed; infinite where that is "> 10"."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Rows x tasks x methods x seeds."""
    experiment = config["experiment"]
    asked = experiment["names"]
    names = list(experiment["tasks"])[:TASKS] if asked == "paper" else list(asked)
    return [
        cell
        for role in experiment["panels"]
        for cell in tables.named_cells(
            role, dict.fromkeys(names, int(experiment["rows"][role])), config
        )
    ]


# Measures


def mean_sizes(rows: pd.DataFrame, method: str, n: int) -> list[Array]:
    """|error| of a method at n rows, nats: (seeds,) for each task.

    A failed cell is left out; a diverged one has an infinite error.
    """
    own = rows[(rows["method"] == method) & (rows["n"] == n) & (rows["status"] != "failed")]
    return [group["size"].to_numpy(float) for _, group in own.groupby("name")]


def of_means(rows: pd.DataFrame) -> float:
    """The mean over tasks of |mean estimate - truth|, nats; infinite where a cell was lost."""
    return float(rows.groupby("name")["error"].mean().abs().mean())


# Claims. Measures and tolerances were written down before any run.


@claim(
    "comparison-printed",
    paper="this suite's target",
    figure=FIGURE,
    rule="at 1,000, 5,000 and 10,000 rows the whole interval of auto's mean |error| below the"
    " lowest figure printed there",
    missing=NO_ROWS,
)
def below_printed(rows: pd.DataFrame) -> Finding | None:
    """auto is nearer to the truth, on the mean, than any estimator in a table of 2026."""
    own = rows[rows["method"] == OWN]
    checks = []
    for i, n in enumerate(PRINTED_ROWS):
        if groups := mean_sizes(rows, OWN, n):
            lowest = min(one[i] for one in PRINTED.values())
            checks.append(below(f"{n:,} rows", groups, lowest))
    return all_hold(checks, "numbers of rows", own) if checks else None


def below(name: str, groups: list[Array], most: float) -> Check:
    """That a mean |error| is below a printed one."""
    (value, interval), seeds = number_of(groups, pooled_mean), fewest_seeds(groups)
    words = (
        f"{name}: {nats(value)}, {interval_words(interval, seeds)}, against {nats(most)}, over"
        f" {counted(len(groups), 'task')}"
    )
    return Check(name, value, interval, less_than(most), seeds, words, (interval[1] - most,))


@claim(
    "comparison-best",
    paper="this suite's target",
    figure=FIGURE,
    rule="against each other method run here, the whole interval of the difference of mean"
    " |error| on the same rows above 0",
    missing=NO_ROWS,
)
def best(rows: pd.DataFrame) -> Finding | None:
    """Of the methods run here, auto has the lowest mean |error| on the 40 tasks."""
    return nearer(rows, [(OWN, method) for method in sorted(set(rows["method"]) - {OWN})])


claims = [below_printed, best]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Mean |error| against the rows beside the printed figures; the interval of auto by family."""
    found = table(rows)
    drawn = {FIGURE: draw(found)}
    own = found[(found["method"] == OWN) & (found["status"] == "ok")]
    return drawn | ({INTERVALS: draw_intervals(own)} if len(own) else {})


def draw(rows: pd.DataFrame) -> Figure:
    tasks = counted(rows["name"].nunique(), "task")
    with titled_figure(
        7.6,
        4.8,
        title=f"Mean absolute error on {tasks} of Beyond Normal",
        caption="Mean absolute error in nats against rows, beside figures that others print.",
        rows=rows,
        notes=[
            f"{seed_note(rows, bars=False)}. Coloured: run here, one setting for all.",
            "Grey, dashed: as printed by Franzese et al. 2026 (Table 2), not run here.",
        ],
    ) as figure:
        plot_errors(rows, figure.subplots())
    return figure


def plot_errors(rows: pd.DataFrame, ax: Axes) -> Axes:
    """One line a method: mean |error| in nats against the rows."""
    found = looks(rows)
    for method in order(set(rows["method"])):
        own = rows[rows["method"] == method]
        means = own.groupby("n")["size"].mean()
        shown = means[np.isfinite(means)]
        ax.plot(shown.index, shown, ls="-", lw=1.6, ms=4.5, **found[method])
    ends = {}
    for name, values in PRINTED.items():
        points = [(n, v) for n, v in zip(PRINTED_ROWS, values, strict=True) if v < math.inf]
        ax.plot(*zip(*points, strict=True), "--", color=OF_OTHERS, lw=1.0, zorder=1)
        ends[name] = points[-1]
    ax.set(xscale="log", yscale="log", xlabel="rows", ylabel="mean |error|, nats")
    counts = sorted(int(n) for n in rows["n"].unique())
    ticks_at(ax.xaxis, counts, [f"{n:,}" for n in counts])
    plain_log_ticks(ax.yaxis)
    last = max(n for n, _ in ends.values())
    heights = text_heights(ax, [value for _, value in ends.values()], gap=TEXT_GAP)
    for name, height in zip(ends, heights, strict=True):
        ax.annotate(
            name,
            (last, height),
            xycoords=ax.get_xaxis_transform(),
            xytext=(5, 0),
            textcoords="offset points",
            color=OF_OTHERS,
            fontsize=6.5,
            va="center",
        )
    return ax


def draw_intervals(rows: pd.DataFrame) -> Figure:
    """Coverage and interval score of auto, by family and number of rows."""
    with titled_figure(
        8.6,
        4.4,
        title="auto: its 95 % interval by family",
        caption="Share of covered cells and mean interval score of auto, by family and rows.",
        rows=rows,
        notes=[
            f"{seed_note(rows, bars=False)}. Grey: 93 to 97 % covered.",
            "Score: width, and 40 times what the interval misses by (Winkler); less is better.",
        ],
    ) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        left.axvspan(0.93, 0.97, color=GRID, lw=0, zorder=0)
        by_family(rows, left, "covered", "share of cells covered")
        by_family(rows, right, "score", "mean interval score, nats")
        left.set_xlim(-0.02, 1.02)
        right.set_xscale("log")
        plain_log_ticks(right.xaxis)
    return figure


def by_family(rows: pd.DataFrame, ax: Axes, column: str, label: str) -> Axes:
    """The mean of a column: a place a family, in it one point below the other by their rows."""
    families = list(dict.fromkeys(tables.places(rows)["family"]))
    ordered = rows.sort_values("n", kind="stable")
    by_rows = looks(ordered.assign(count=[f"{n:,} rows" for n in ordered["n"]]), "count")
    parts = [part for _, part in rows.groupby("n")]
    for i, (part, look) in enumerate(zip(parts, by_rows.values(), strict=True)):
        means = part.groupby("family")[column].mean()
        values = [*(float(means.get(one, math.nan)) for one in families), part[column].mean()]
        below = 0.24 * (i - (len(parts) - 1) / 2)
        ax.plot(values, below + np.arange(len(values)), ms=4.5, ls="none", **look)
    ax.set_yticks(range(len(families) + 1), [*families, "all"])
    ax.axhline(len(families) - 0.5, color=INK, lw=0.6)
    if not ax.yaxis_inverted():
        ax.invert_yaxis()
    ax.set_xlabel(label)
    return ax
