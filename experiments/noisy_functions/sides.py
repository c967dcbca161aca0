"""Both sides of self-equitability: I(X; Y) and I(f(X); Y)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from experiments.noisy_functions.functions import (
    function_look,
    function_series,
    functions,
    setting,
)
from experiments.noisy_functions.points import plot_means
from experiments.suite.claims.rows import summary
from experiments.suite.figures.axes import (
    error_limit,
    even_axis,
    plain_log_ticks,
    truth_level,
    truth_line,
)
from experiments.suite.figures.labels import signed
from experiments.suite.figures.notes import sample_note, seed_note, titled_figure
from experiments.suite.figures.palette import SHADE, TRUTH
from experiments.suite.figures.series import intervals

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Tolerance = Callable[[float], float]
"""sigma -> the largest error in nats that the claim allows."""


def draw_self(on_map: pd.DataFrame, on_self: pd.DataFrame, tolerance: Tolerance) -> Figure:
    """Both sides against each other, and each against its truth."""
    import pandas as pd

    both = pd.concat([on_map[on_map["sigma"] > 0], on_self])
    note = f"{seed_note(both)}. The two sides are separate estimates on samples of their own."
    with titled_figure(
        9.4,
        4.9,
        title=f"Self-equitability: {setting(on_self)}",
        caption=f"{setting(on_self)}: estimates of I(X;Y) against I(f(X);Y), and the error of"
        " each.",
        rows=both,
        notes=[sample_note(both), note],
    ) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.25))
        plot_sides(on_map, on_self, left)
        plot_side_errors(on_map, on_self, right, tolerance)
    return figure


def sides(
    on_map: pd.DataFrame, on_self: pd.DataFrame
) -> Iterable[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """(function, summary of I(X;Y) by sigma, summary of I(f(X);Y) by sigma)."""
    for function in functions(on_self):
        yield (
            function,
            summary(on_map[(on_map["function"] == function) & (on_map["sigma"] > 0)], ["sigma"]),
            summary(on_self[on_self["function"] == function], ["sigma"]),
        )


def plot_sides(on_map: pd.DataFrame, on_self: pd.DataFrame, ax: Axes) -> Axes:
    """I(f(X);Y) against I(X;Y), log scales; equality is dashed, the crosses are the truths."""
    ax.set(xscale="log", yscale="log")
    low, high, hidden = math.inf, 0.0, 0
    for function, one, two in sides(on_map, on_self):
        both = one.merge(two, on="sigma", suffixes=("_x", "_f"))
        positive = (both["mean_x"] > 0) & (both["mean_f"] > 0)
        hidden += int((~positive).sum())
        both, truths = both[positive], two["truth"].to_numpy(dtype=float)
        plot_side(both, ax, function)
        ax.plot(truths, truths, "+", color=TRUTH, ms=7, mew=0.7, zorder=11)
        values = np.concatenate([truths, both["mean_x"], both["mean_f"]])
        low, high = min(low, values.min(initial=low)), max(high, values.max(initial=high))
    if high > 0:
        ends = [0.8 * low, 1.25 * high]
        truth_line(ax, ends, ends)
        ax.set(xlim=ends, ylim=ends)
    if hidden:
        text = f"not shown: {hidden} without two estimates above 0"
        ax.text(0.03, 0.97, text, transform=ax.transAxes, va="top", fontsize=7)
    for axis in (ax.xaxis, ax.yaxis):
        plain_log_ticks(axis)
    ax.set(
        aspect="equal", xlabel="estimate of I(X; Y), nats", ylabel="estimate of I(f(X); Y), nats"
    )
    ax.set_title("both sides; + the true values")
    return ax


def plot_side(both: pd.DataFrame, ax: Axes, function: str) -> None:
    """One function's estimates of both sides, with their intervals."""
    ax.errorbar(
        both["mean_x"],
        both["mean_f"],
        xerr=intervals(both, "_x"),
        yerr=intervals(both, "_f"),
        ls="none",
        elinewidth=1.0,
        ms=5.5,
        zorder=4,
        **function_series(function),
    )


def plot_side_errors(
    on_map: pd.DataFrame, on_self: pd.DataFrame, ax: Axes, tolerance: Tolerance
) -> Axes:
    """Errors in nats against sigma: filled I(X;Y), hollow I(f(X);Y); the band is the tolerance."""
    import pandas as pd

    sigmas, names = sorted(set(on_self["sigma"])), functions(on_self)
    limit = error_limit(pd.concat([on_map, on_self]), 1.25, 0.17, 0.5)
    step = 0.8 / (2 * len(names))
    shade_tolerance(ax, [tolerance(sigma) for sigma in sigmas])
    ax.set_ylim(-limit, limit)
    for i, function in enumerate(names):
        look = function_look(function)
        for side, rows in enumerate((on_map, on_self)):
            group = rows[(rows["function"] == function) & rows["sigma"].isin(sigmas)]
            offset = (2 * i + side - len(names) + 0.5) * step
            place = {sigma: index + offset for index, sigma in enumerate(sigmas)}
            face = {"mfc": "white" if side else look["color"], "elinewidth": 1.0, "ms": 4.0}
            plot_means(group, ax, summary(group, ["sigma"]), "error", place, **look, **face)
    truth_level(ax, len(sigmas))
    even_axis(ax, [signed(sigma) for sigma in sigmas])
    ax.set(xlabel="noise σ", ylabel="estimate − truth, nats")
    ax.set_title("errors: filled I(X; Y), hollow I(f(X); Y); band: tolerance")
    return ax


def shade_tolerance(ax: Axes, limits: Sequence[float]) -> None:
    """The claims' tolerance at each position."""
    edges = np.repeat(np.arange(len(limits) + 1) - 0.5, 2)[1:-1]
    band = np.repeat(limits, 2)
    ax.fill_between(edges, -band, band, color=SHADE, lw=0, zorder=0)
