"""Values against R^2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from experiments.noisy_functions.functions import (
    VARIANCES,
    function_series,
    functions,
    r_squared,
    setting,
)
from experiments.noisy_functions.points import plot_means
from experiments.suite.claims.intervals import Array
from experiments.suite.claims.rows import summary
from experiments.suite.figures.axes import bits_axis, nats_range, truth_line
from experiments.suite.figures.notes import sample_note, seed_note, titled_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_r2(rows: pd.DataFrame) -> Figure:
    """Values against R^2: the functions' curves would coincide if MI were a function of R^2."""
    note = (
        f"R² = Var f(X) / (Var f(X) + σ²). {seed_note(rows)}."
        " σ = 0 (R² = 1, truth infinite) is left out."
    )
    with titled_figure(
        7.4,
        4.6,
        title=f"Values against R²: {setting(rows)}",
        caption=f"{setting(rows)}: estimates and true values against R². If mutual information"
        " were a function of R² alone, the functions' curves would coincide.",
        rows=rows[rows["sigma"] > 0],
        notes=[sample_note(rows), note],
    ) as figure:
        bits_axis(plot_r2(rows, figure.subplots()))
    return figure


def plot_r2(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Estimate and truth in nats against R^2, for each function whose variance is known."""
    known = rows[rows["function"].isin(VARIANCES) & (rows["sigma"] > 0)]
    ax.set_ylim(0.0, 1.15 * nats_range(known)[1])
    for function in functions(known):
        group = known[known["function"] == function]
        lines = summary(group, ["sigma"])
        x = np.array([r_squared(function, float(sigma)) for sigma in lines["sigma"]])
        truth_line(ax, *between_points(x, lines["truth"].to_numpy(dtype=float)))
        place = dict(zip(lines["sigma"], x, strict=True))
        look = function_series(function)
        plot_means(group, ax, lines, "mean", place, **look, elinewidth=1.2, ms=5.5)
    ax.set_xlabel("R², the share of the variance of Y that f(X) explains")
    ax.set_ylabel("mutual information, nats")
    return ax


def between_points(x: Array, truth: Array) -> tuple[Sequence[float], Sequence[float]]:
    """The truth between its points, linear in -log(1 - R^2): about what it is for a Gaussian."""
    information = -np.log1p(-np.sort(x))
    fine = np.linspace(information[0], information[-1], 120)
    values = np.interp(fine, information, truth[np.argsort(x)])
    return list(-np.expm1(-fine)), list(values)
