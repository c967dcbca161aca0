r"""Theorem 3: the samples that an accuracy takes, beside those that the theorem asks for.

With |T| <= M, T L-Lipschitz in its d parameters and these in a ball of radius K, with probability
1 - delta

    |I_n - I_F| <= eps    from    n >= 2 M^2 (d log(16 K L sqrt(d) / eps) + 2 d M
                                              + log(2 / delta)) / eps^2    on.

I_F is the best value in the class: here that of a network of the same width and start, trained on
fresh samples in every batch. The proof bounds |DV_n(T) - DV(T)| uniformly over the class, and so
both I_n, the value on the n rows that the critic was trained on, and what that critic is worth on
others: |I_n - I_F| is here the larger of the two distances. I_n and I_F of one seed share their
test samples. What training leaves undone is in both.

How the theorem's constants were set: delta = .05. M is measured on the task: the .999 quantile of
|log dP/dQ| under P, that is, what a best critic is bounded by but for one pair in a thousand. K
and L are assumed, 10 each; they enter by their log alone, so that ten times as much adds d log 10
to the bracket. d is the number of parameters, one hidden layer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.checks import Finding, all_hold, check, measure
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Array, Interval, fewest_seeds
from experiments.suite.figures.axes import DASHES, decades, ticks_at
from experiments.suite.figures.labels import dim_of, signed, spread
from experiments.suite.figures.notes import seed_note, titled_figure
from experiments.suite.figures.palette import GRID, looks
from experiments.suite.grid.cells import Cell, gaussian_task, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "Sec. 3.3, Theorem 3"
FIGURE = "sample_size"
EPSILONS = (0.4, 0.2, 0.1, 0.05, 0.025)
"""Accuracies in nats that n is read off at."""
RADIUS, LIPSCHITZ, DELTA, QUANTILE = 10.0, 10.0, 0.05, 0.999
SETTING = ["level", "width"]
Least = Mapping[tuple[float, int, float], Array]
"""(level, width, eps) -> the least n, shape (...)."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Rows x widths x true values x seeds; rows 0: fresh samples in every batch."""
    experiment = config["experiment"]
    tasks = [gaussian_task(int(experiment["dim"]), nats) for nats in experiment["nats"]]
    tested = int(experiment["test"]) * int(config["scale"]["n_test"])
    return [
        cell
        for role in experiment["panels"]
        for width in experiment["widths"]
        for n in [0, *experiment["rows"]]
        for cell in panel_cells(
            role,
            tasks,
            config,
            {
                "experiment": {"n": int(n)},
                "train": {"batch_size": experiment["batch_size"]},
                "critic": {"hidden": [int(width)]},
                "scale": {"n_test": tested},
            },
        )
    ]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with n (0 for fresh samples), width, level (the truth) and |I_n - I_F| (`gap`).

    The gap of a diverged row is infinite; of a failed one, or where I_F is missing, it is nan.
    """
    params = [json.loads(text) for text in rows["params"]]
    found = rows.assign(
        n=[int(one["experiment"]["n"]) for one in params],
        width=[int(one["critic"]["hidden"][0]) for one in params],
        level=rows["truth"].round(3) + 0.0,
    )
    keys = [*SETTING, "seed"]
    fresh = found[(found["n"] == 0) & (found["status"] == "ok")].set_index(keys)["nats"]
    best = [fresh.get(key, math.nan) for key in zip(*(found[k] for k in keys), strict=True)]
    sides = [(found[side] - np.array(best, dtype=float)).abs() for side in ("nats", "train_nats")]
    gap = np.maximum(*sides).mask(found["status"] == "diverged", math.inf)
    return found.assign(best=best, gap=gap.mask(found["status"] == "failed", math.nan))


# What the theorem asks for


def parameters(dim: int, width: int) -> int:
    """Of a network with one hidden layer on x and y of `dim` columns each."""
    return (2 * dim + 2) * width + 1


@lru_cache(maxsize=64)
def bound(dim: int, nats: float) -> float:
    """M: the .999 quantile of |log dP/dQ| under P, of 400,000 draws.

    There it is I + rho/2 (A - A') with A, A' chi-square of d degrees.
    """
    rho = math.sqrt(-math.expm1(-2.0 * nats / dim))
    a, b = np.random.default_rng(0).chisquare(dim, (2, 400_000))
    return float(np.quantile(np.abs(nats + 0.5 * rho * (a - b)), QUANTILE))


def asked(
    eps: float, d: int, m: float, k: float = RADIUS, lip: float = LIPSCHITZ, delta: float = DELTA
) -> float:
    """The theorem's n, for accuracy eps (nats), d parameters and values up to m."""
    inside = d * math.log(16.0 * k * lip * math.sqrt(d) / eps) + 2.0 * d * m
    return 2.0 * m * m * (inside + math.log(2.0 / delta)) / eps**2


# What it takes


def least_n(ns: Sequence[float], gaps: Array, eps: float) -> Array:
    """The n from which on the gap is at most eps, by interpolation in log-log.

    Args:
        ns: rising, (N,).
        gaps: (..., N).

    Returns:
        Shape (...); nan where the grid does not tell: the gap is above eps at its end, or nowhere.
    """
    log_n = np.log(np.asarray(ns, dtype=float))
    log_gap = np.log(np.clip(np.nan_to_num(gaps, nan=np.inf), 1e-12, 1e12))
    above = log_gap > math.log(eps)
    last = above.shape[-1] - 1 - np.argmax(above[..., ::-1], -1)  # the last one above
    known = above.any(-1) & (last < len(log_n) - 1)
    i = np.minimum(last, len(log_n) - 2)
    left, right = (np.take_along_axis(log_gap, j[..., None], -1)[..., 0] for j in (i, i + 1))
    share = np.where(known, left - math.log(eps), 0.0) / np.where(known, left - right, 1.0)
    return np.where(known, np.exp(log_n[i] + share * (log_n[i + 1] - log_n[i])), np.nan)


class Grid:
    """|I_n - I_F| by setting: (level, width) -> one array (S,) for each n of `ns`."""

    def __init__(self, rows: pd.DataFrame) -> None:
        kept = rows[(rows["n"] > 0) & rows["gap"].notna()]
        self.ns = [float(n) for n in sorted(set(kept["n"]))]
        self.dim = dim_of(rows) if len(rows) else 1
        self.gaps: dict[tuple[float, int], list[Array]] = {}
        for (level, width), group in kept.groupby(SETTING):
            of_n = [group.loc[group["n"] == n, "gap"].to_numpy(float) for n in self.ns]
            if all(len(one) for one in of_n):
                self.gaps[float(level), int(width)] = of_n
        self.seeds = fewest_seeds(one for of_n in self.gaps.values() for one in of_n)
        self.flat = [one for of_n in self.gaps.values() for one in of_n]

    def least(self, drawn: Sequence[Array]) -> dict[tuple[float, int, float], Array]:
        """Least n by (level, width, eps) of resamples laid out as `flat`: (...) each."""
        means = np.stack([one.mean(-1) for one in drawn], -1)
        parts = np.split(means, len(self.gaps), -1)
        return {
            (*setting, eps): least_n(self.ns, part, eps)
            for setting, part in zip(self.gaps, parts, strict=True)
            for eps in EPSILONS
        }

    def asked(self, level: float, width: int, eps: float) -> float:
        return asked(eps, parameters(self.dim, width), bound(self.dim, level))


def mean_slope(lines: Sequence[tuple[Sequence[float], Sequence[Array]]]) -> Array:
    """Least-squares slope of each line's known points, then the mean over lines: (...).

    Args:
        lines: x (N,), and y, N arrays (...) that may be nan.

    Returns:
        nan where no line has two known points.
    """
    found = []
    for x, ys in lines:
        y = np.stack(ys, -1)
        known = np.isfinite(y)
        count = known.sum(-1)
        at = np.where(known, np.asarray(x, dtype=float), 0.0)
        of_y = np.where(known, y, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            dx = np.where(known, at - (at.sum(-1) / count)[..., None], 0.0)
            slope = (dx * of_y).sum(-1) / np.square(dx).sum(-1)
        found.append(np.where(count > 1, slope, np.nan))
    slopes = np.stack(found, -1)
    known = np.isfinite(slopes)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, slopes, 0.0).sum(-1) / known.sum(-1))


def by_accuracy(least: Least) -> Array:
    """Mean over settings of the slope of log n against log eps."""
    settings = list(dict.fromkeys(key[:2] for key in least))
    x = np.log(EPSILONS).tolist()
    return mean_slope([(x, [np.log(least[*s, eps]) for eps in EPSILONS]) for s in settings])


def by_parameters(least: Least, dim: int) -> Array:
    """Mean over true values and eps of the slope of log n against log d."""
    widths = sorted({key[1] for key in least})
    x = [math.log(parameters(dim, width)) for width in widths]
    others = list(dict.fromkeys((key[0], key[2]) for key in least))
    none = np.full_like(next(iter(least.values())), np.nan)  # of a setting that was lost
    return mean_slope(
        [(x, [np.log(least.get((level, w, eps), none)) for w in widths]) for level, eps in others]
    )


# Claims. Measures and tolerances were written down before any run.


@claim(
    "sample_size-enough",
    paper=PAPER,
    figure=FIGURE,
    rule="mean |I_n − I_F| at most ε at the largest n run that the theorem's covers",
)
def enough(rows: pd.DataFrame) -> Finding | None:
    """With the samples that the theorem asks for, I_n is within ε of I_F."""
    grid = Grid(rows)
    checks = []
    for (level, width), of_n in grid.gaps.items():
        for eps in EPSILONS:
            within = [i for i, n in enumerate(grid.ns) if n <= grid.asked(level, width, eps)]
            if within:
                label = f"{level:g} nats, width {width}, ε {signed(eps)}"
                checks.append(check(label, of_n[within[-1]], eps))
    return all_hold(checks, "settings", rows)


def read_off(
    rows: pd.DataFrame, name: str, of: Callable[[Grid, Least], Array], bounds: Interval
) -> Finding | None:
    """A number that is read off the least n lies within bounds.

    Args:
        rows: the experiment's table.
        name: of the number.
        of: maps the grid and its least n, each of shape (...), to shape (...).
        bounds: (low, high).
    """
    grid = Grid(rows)
    if not grid.gaps:
        return None
    told = sum(bool(np.isfinite(n)) for n in grid.least(grid.flat).values())
    words = (
        f"{name} {{value}}, {{interval}}, over {told} of {len(grid.gaps) * len(EPSILONS)} settings"
        " that cross ε within the grid, {seeds} each"
    )
    return measure(
        grid.flat, lambda drawn: of(grid, grid.least(drawn)), bounds, words, rows, unit=False
    )


def excess(grid: Grid, least: Least) -> Array:
    """Median over settings of log10(n asked / n taken), of those that the grid tells: (...)."""
    each = np.stack(
        [np.log10(grid.asked(*setting)) - np.log10(n) for setting, n in least.items()], -1
    )
    known = np.isfinite(each).any(-1)
    filled = np.where(known[..., None], each, 0.0)
    return np.asarray(np.where(known, np.nanmedian(filled, -1), np.nan))


@claim(
    "sample_size-loose",
    paper=PAPER,
    figure=FIGURE,
    rule="median over settings of log10(n asked / n taken) at least 2",
)
def loose(rows: pd.DataFrame) -> Finding | None:
    """The theorem asks for a hundred times the samples that it takes, or more."""
    return read_off(rows, "median log10(n asked / n taken)", excess, (2.0, math.inf))


@claim(
    "sample_size-accuracy",
    paper=PAPER,
    figure=FIGURE,
    rule="slope of log n against log ε within −2 ± 0.5 (mean over true values and widths)",
)
def accuracy(rows: pd.DataFrame) -> Finding | None:
    """The samples needed grow as 1/ε²."""
    name = "slope of log n against log ε"
    return read_off(rows, name, lambda _, least: by_accuracy(least), (-2.5, -1.5))


@claim(
    "sample_size-parameters",
    paper=PAPER,
    figure=FIGURE,
    rule="slope of log n against log d within 1 ± 0.5 (mean over true values and ε)",
)
def size(rows: pd.DataFrame) -> Finding | None:
    """The samples needed grow about as the number of parameters d."""
    name = "slope of log n against log d"
    return read_off(rows, name, lambda grid, least: by_parameters(least, grid.dim), (0.5, 1.5))


claims = [enough, loose, accuracy, size]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """|I_n - I_F| against n for each true value, and the n that an accuracy takes."""
    return {FIGURE: draw(table(rows))}


def draw(rows: pd.DataFrame) -> Figure:
    levels = sorted(set(rows["level"]))
    ordered = rows.sort_values("width", kind="stable")
    named = ordered.assign(units=[f"width {width}" for width in ordered["width"]])
    listed = ", ".join(f"{m} {level:g}" for m, level in zip("▾◂▴▸", levels, strict=False))
    with titled_figure(
        2.6 * (len(levels) + 1.4),
        4.6,
        title=f"The samples that an accuracy takes: X and Y each {dim_of(rows)}-D normal",
        caption="|I(n) − I(∞)| against n, and the n that Theorem 3 asks for.",
        rows=rows,
        notes=[
            (
                f"{spread(rows['steps'])} steps on n rows, one hidden layer; I(n): the value,"
                " I(∞): with fresh samples."
                f" {seed_note(rows, bars=False)}."
            ),
            f"Right: n read off the lines, side by side around each ε, by width and I: {listed}.",
            "Dashed: n asked by Theorem 3 at δ = .05; shaded: from the least I to the largest.",
        ],
    ) as figure:
        widths = [*[1.0] * len(levels), 1.25]
        *axes, last = figure.subplots(1, len(levels) + 1, width_ratios=widths)
        for level, ax in zip(levels, axes, strict=True):
            plot_gaps(named[named["level"] == level], ax)
            ax.set_title(f"I = {level:g} nats")
        axes[0].set_ylabel("|I(n) − I(∞)|, nats")
        for ax in axes[1:]:
            ax.tick_params(labelleft=False)
        plot_least(named, last)
    return figure


def plot_gaps(rows: pd.DataFrame, ax: Axes) -> Axes:
    """|I_n - I_F| against n on log scales, a line for each width; eps as grey lines."""
    kept = rows[(rows["n"] > 0) & np.isfinite(rows["gap"])]
    ax.set(xscale="log", yscale="log", xlim=(40, 3.2e5), ylim=(1e-3, 5.0))
    for eps in EPSILONS:
        ax.axhline(eps, color=GRID, lw=0.8, zorder=1, label="values of ε")
    for units, look in looks(rows, "units").items():
        own = kept[kept["units"] == units]
        mean = own.groupby("n")["gap"].mean()
        shown = own["gap"].clip(1.1e-3, 4.5)
        ax.scatter(own["n"], shown, s=7, color=look["color"], alpha=0.4, lw=0, zorder=3)
        ax.plot(mean.index, mean, ms=4, lw=1.0, zorder=4, **look)
    decades(ax.yaxis)
    decades(ax.xaxis)
    ax.set_xlabel("rows of the training set, n")
    return ax


def plot_least(rows: pd.DataFrame, ax: Axes) -> Axes:
    """n against eps on log scales: taken (a marker a true value) and asked, a colour a width."""
    grid = Grid(rows)
    levels = sorted(set(rows["level"]))
    colours = {
        int(str(units).split()[1]): look["color"] for units, look in looks(rows, "units").items()
    }
    ax.set(xscale="log", yscale="log")
    for width, colour in colours.items():
        plot_asked(ax, grid, levels, width, colour)
    if grid.gaps:
        # side by side, over most of the way from one eps to the next
        between = 0.37 * math.log(EPSILONS[0] / EPSILONS[1])
        spread_out = np.exp(np.linspace(-between, between, len(levels) * len(colours)))
        for (level, width, eps), n in grid.least(grid.flat).items():
            nth = list(colours).index(width) * len(levels) + levels.index(level)
            aside = eps * spread_out[nth]
            marker = "v<^>"[levels.index(level) % 4]
            ax.plot([aside], [n], marker, ms=3.6, color=colours[width], zorder=4)
    ticks_at(ax.xaxis, EPSILONS, [signed(eps) for eps in EPSILONS])
    ax.set(xlim=(0.7 * min(EPSILONS), 1.4 * max(EPSILONS)), ylim=(30, 1e10), xlabel="ε, nats")
    decades(ax.yaxis)
    ax.set_title("n taken, and n asked")
    return ax


def plot_asked(ax: Axes, grid: Grid, levels: Sequence[float], width: int, colour: str) -> None:
    """The n that Theorem 3 asks of a width: of the middle true value, in the range of all."""
    asked = [[grid.asked(level, width, eps) for eps in EPSILONS] for level in levels]
    low, high = (pick(asked, axis=0) for pick in (np.min, np.max))
    ax.fill_between(EPSILONS, low, high, color=colour, alpha=0.15, lw=0)
    ax.plot(EPSILONS, asked[len(levels) // 2], color=colour, ls=DASHES, lw=1.0)
