"""Sec. 4.2, Fig. 2: a noisy function Y = f(X) + sigma eps, estimates over f and sigma.

X ~ U(-1, 1)^d, eps ~ N(0, I), d = 2 by the paper's caption. The paper says that the mutual
information is invariant to f and depends on the noise alone. The true values (by quadrature, in
the rows) say otherwise, and the claim is computed from them. What Kinney and Atwal (PNAS 2014)
define is self-equitability, I(X; Y) = I(f(X); Y) for one f and sigma: the "self" cells estimate
the right side (the task seen through f), the "map" cells the left, on samples of their own.

At sigma = 0 the true value is infinite for every f, and any finite estimate an artefact.
R^2 = Var f(X) / (Var f(X) + sigma^2), the same in each dimension.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims import claim as c
from experiments.suite.figures.axes import (
    bits_axis,
    error_limit,
    even_axis,
    nats_range,
    plain_log_ticks,
    truth_level,
    truth_line,
)
from experiments.suite.figures.heatmap import Place, heat_map, inner_axes, name_cells
from experiments.suite.figures.labels import (
    FUNCTIONS,
    dim_of,
    function_label,
    label,
    short,
    signed,
)
from experiments.suite.figures.notes import head, sample_note, seed_note, titled_figure
from experiments.suite.figures.palette import SHADE, TRUTH, function_look
from experiments.suite.figures.series import edge_marks, intervals, lost_cells
from experiments.suite.figures.style import new_figure, style
from experiments.suite.grid.cells import Cell, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "Sec. 4.2, Fig. 2"
MAP, SELF = "map", "self"
VARIANCES = {
    "identity": 1.0 / 3.0,
    "cube": 1.0 / 7.0,
    "sin": 0.5 - math.sin(2.0) / 4.0,
    "double": 4.0 / 3.0,
}
"""Var f(X) for X ~ U(-1, 1): f is odd, so it is E f(X)^2. A function not named here has no R^2."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Functions x sigma x methods x seeds, twice: as they are, and seen through f.

    Self cells leave sigma = 0 out: both sides are infinite there.
    """
    experiment = config["experiment"]
    channels: list[dict[str, Any]] = [
        {
            "_target_": "mine.tasks.NoiseChannel",
            "function": str(function),
            "sigma": float(sigma),
            "dim": experiment["dim"],
        }
        for function in experiment["functions"]
        for sigma in experiment["sigma"]
    ]
    seen: dict[str, list[dict[str, Any]]] = {
        MAP: channels,
        SELF: [
            {"_target_": "mine.tasks.Warped", "base": base, "map_x": base["function"]}
            for base in channels
            if base["sigma"] > 0
        ],
    }
    return [
        cell for role in experiment["panels"] for cell in panel_cells(role, seen[role], config)
    ]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the noise channel's function and sigma as columns."""
    params = [json.loads(text) for text in rows["params"]]
    channels = [one.get("base", one) for one in params]
    return rows.assign(
        function=[str(one["function"]) for one in channels],
        sigma=[float(one["sigma"]) for one in channels],
    )


# Claims. Measures and tolerances were written down before any run.


def claims(rows: pd.DataFrame) -> list[c.Claim]:
    """The claims of Sec. 4.2, of the estimator `mine` where cells sigma > 0."""
    all_rows = table(rows)
    finite = all_rows[(all_rows["sigma"] > 0) & (all_rows["method"] == "mine")]
    on_map, on_self = (finite[finite["role"] == role] for role in (MAP, SELF))
    return [recovers(on_map), invariant(on_map), self_equitable(on_map, on_self)]


def tolerance(sigma: float) -> float:
    """.05 nats for sigma >= .2, .15 below: what this suite asks of each cell.

    The paper shows a colour for each and prints no number.

    Two-dimensional truths run from .16 to 3.3 nats, so it is a third of the least and 5 % of the
    largest.
    """
    return 0.05 if sigma > 0.2 - 1e-9 else 0.15


TOLERANCE = "within ±0.05 nats (±0.072 bits) for σ ≥ .2, ±0.15 nats (±0.216 bits) at .1"


def by_cell(rows: pd.DataFrame) -> dict[tuple[str, float], pd.DataFrame]:
    """(function, sigma) -> its rows."""
    return {(str(f), float(s)): group for (f, s), group in rows.groupby(["function", "sigma"])}


def name(function: str, sigma: float) -> str:
    return f"f = {function_label(function)}, σ {signed(sigma)}"


def recovers(rows: pd.DataFrame) -> c.Claim:
    """Every cell's mean error lies within `tolerance`."""
    checks = [
        c.check(name(*cell), c.errors(group), tolerance(cell[1]))
        for cell, group in by_cell(rows).items()
    ]
    measured, verdict, interval = c.conclusion(checks, rows, "cells of the map")
    return c.Claim(
        "equitability-map",
        "equitability",
        PAPER,
        "MINE recovers each cell of the map (f × noise).",
        measured,
        f"mean error of each cell {TOLERANCE}",
        verdict,
        figure_of(rows, "map_mine"),
        interval,
    )


def invariant(rows: pd.DataFrame) -> c.Claim:
    """The spread (largest - smallest) over f at each sigma, of the true values and the estimates.

    The sentence is about the mutual information itself, so the true values decide: a spread above
    the map's tolerance at any sigma is a "not reproduced" that no number of seeds can change.
    Where the true values agree, the estimates must agree too, each spread's interval within it.
    """
    statement = "Mutual information is invariant to f and depends on the noise alone."
    rule = f"spread over f at each σ {TOLERANCE}, of the true values and the estimates"
    lines = [
        Spread.of(sigma, groups)
        for sigma, groups in by_sigma(rows).items()
        if len(groups) > 1 and all(len(errors) for _, errors in groups.values())
    ]
    if not lines:
        return c.Claim(
            "equitability-invariance",
            "equitability",
            PAPER,
            statement,
            "this run has no two functions at one sigma > 0",
            rule,
            "inconclusive",
            figure_of(rows, "map_mine"),
        )
    verdict = c.strictest(line.verdict for line in lines)
    deciding = [line for line in lines if line.verdict == verdict]
    worst = max(deciding, key=lambda line: line.true / line.tolerance)
    wide = sum(line.true > line.tolerance for line in lines)
    values = ", ".join(
        f"{function_label(function)} {c.number(truth)}"
        for function, truth in sorted(worst.truths.items(), key=lambda one: -one[1])
    )
    measured = (
        f"the true values differ by more than the tolerance at {wide} of {len(lines)} noise"
        f" levels; at σ {signed(worst.sigma)} they are {values} nats: spread"
        f" {c.nats(worst.true)}. The estimates' spread there: {c.nats(worst.estimated)},"
        f" {c.interval_words(worst.interval, worst.seeds)}, over {c.counted(worst.seeds, 'seed')}"
    )
    return c.Claim(
        "equitability-invariance",
        "equitability",
        PAPER,
        statement,
        measured,
        rule,
        verdict,
        figure_of(rows, "map_mine"),
        worst.interval,
    )


def by_sigma(rows: pd.DataFrame) -> dict[float, dict[str, tuple[float, c.Array]]]:
    """sigma -> function -> (truth, errors of shape (S,)), where the truth is finite."""
    found: dict[float, dict[str, tuple[float, c.Array]]] = {}
    for (function, sigma), group in by_cell(rows).items():
        truth = float(group["truth"].iloc[0])
        if math.isfinite(truth):
            found.setdefault(sigma, {})[function] = (truth, c.errors(group))
    return found


@dataclass(frozen=True)
class Spread:
    """Largest - smallest value over f at one sigma, of the true values and of the estimates."""

    sigma: float
    truths: Mapping[str, float]
    estimated: float
    interval: c.Interval
    seeds: int

    @classmethod
    def of(cls, sigma: float, groups: Mapping[str, tuple[float, c.Array]]) -> Spread:
        """From a truth and errors of shape (S,) for each function."""
        values = [truth + errors for truth, errors in groups.values()]
        return cls(
            sigma,
            {function: truth for function, (truth, _) in groups.items()},
            float(spread_of_means(values)),
            c.bootstrap_interval(values, spread_of_means),
            c.fewest_seeds(values),
        )

    @property
    def true(self) -> float:
        return max(self.truths.values()) - min(self.truths.values())

    @property
    def tolerance(self) -> float:
        return tolerance(self.sigma)

    @property
    def verdict(self) -> c.Verdict:
        if self.true > self.tolerance:
            return "not reproduced"
        return c.verdict_within(self.interval, 0.0, self.tolerance, self.seeds)


def spread_of_means(groups: Sequence[c.Array]) -> c.Array:
    """Largest minus smallest mean of the groups: shapes (..., S_g) to (...)."""
    means = np.stack([group.mean(-1) for group in groups])
    with np.errstate(invalid="ignore"):
        return np.asarray(means.max(0) - means.min(0))


def self_equitable(on_map: pd.DataFrame, on_self: pd.DataFrame) -> c.Claim:
    """For each f and sigma: I(X;Y) - I(f(X);Y), and each side's error, lie within `tolerance`.

    The two sides are separate estimates on samples of their own, so their difference is that of
    two independent means.
    """
    left, right = by_cell(on_map), by_cell(on_self)
    checks = []
    for cell in left.keys() & right.keys():
        one, two = c.errors(left[cell]), c.errors(right[cell])
        limit, where = tolerance(cell[1]), name(*cell)
        checks += [
            c.check(f"I(X;Y) − truth at {where}", one, limit),
            c.check(f"I(f(X);Y) − truth at {where}", two, limit),
            c.difference(f"I(X;Y) − I(f(X);Y) at {where}", one, two, limit),
        ]
    checks.sort(key=lambda one: one.label)
    import pandas as pd

    measured, verdict, interval = c.conclusion(checks, pd.concat([on_map, on_self]), "comparisons")
    return c.Claim(
        "equitability-self",
        "equitability",
        "Sec. 4.2; Kinney & Atwal 2014",
        "Self-equitability holds: I(X;Y) = I(f(X);Y) for the same f and noise.",
        measured,
        f"both sides against each other and against the truth {TOLERANCE}",
        verdict,
        figure_of(on_self, "self_mine"),
        interval,
    )


# Figures


def figure_of(rows: pd.DataFrame, what: str) -> str:
    """The name of the figure of these rows' first dimension; '' where they draw none."""
    return f"equitability_{what}_{dim_of(rows)}d" if len(rows) else ""


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """For each method and dimension: the maps, values against R^2, and self-equitability."""
    drawn: dict[str, Figure] = {}
    for (method, dim), group in table(rows).groupby(["method", "dim"], sort=False):
        suffix = f"{method}_{dim}d"
        on_map, on_self = (group[group["role"] == role] for role in (MAP, SELF))
        if len(on_map):
            drawn[f"equitability_map_{suffix}"] = draw_maps(on_map)
        if (on_map["function"].isin(VARIANCES) & (on_map["sigma"] > 0)).any():
            drawn[f"equitability_r2_{suffix}"] = draw_r2(on_map)
        if len(on_self):
            drawn[f"equitability_self_{suffix}"] = draw_self(on_map, on_self)
    return drawn


def setting(rows: pd.DataFrame) -> str:
    """'MINE, X and Y each 2-D'."""
    dim = dim_of(rows)
    where = "X and Y scalar" if dim == 1 else f"X and Y each {dim}-D"
    return f"{label(str(rows['method'].iloc[0]))}, {where}"


def functions(rows: pd.DataFrame) -> list[str]:
    """The functions in the rows, known ones first."""
    found = set(rows["function"])
    return [f for f in FUNCTIONS if f in found] + sorted(found - set(FUNCTIONS))


# Maps


def draw_maps(rows: pd.DataFrame) -> Figure:
    """Estimate, truth and error side by side: one colour scale for the first two."""
    with style():
        figure = new_figure(11.0, 1.85 + 0.36 * len(functions(rows)))
        axes = figure.subplots(1, 3)
        estimate, _, error = (
            plot_map(rows, ax, value).collections[0]
            for ax, value in zip(axes, ("mean", "truth", "error"), strict=True)
        )
        inner_axes(axes)
        colour_bar(figure, estimate, axes[:2], 80)
        colour_bar(figure, error, axes[2:], 38)
        title = f"Noisy functions Y = f(X) + σε: {setting(rows)}"
        caption = f"{setting(rows)}: heat maps of the estimates, the true values, the errors."
        head(figure, title, map_notes(rows), caption)
    return figure


def colour_bar(figure: Figure, mesh: Any, axes: Iterable[Axes], aspect: float) -> None:
    """A bar below the axes that have these colours."""
    from matplotlib.ticker import MaxNLocator

    figure.colorbar(
        mesh,
        ax=list(axes),
        orientation="horizontal",
        pad=0.03,
        aspect=aspect,
        shrink=0.9,
        ticks=MaxNLocator(6),
    )


def map_notes(rows: pd.DataFrame) -> list[str]:
    """Samples, seeds and units; and what was lost."""
    note = (
        f"{sample_note(rows)} {seed_note(rows, bars=False)}."
        " In nats (1 nat = 1.443 bits). Hatched: the truth is infinite at σ = 0, a finite estimate"
        " there is an artefact."
    )
    lost = f"Lost: {c.lost(rows)[2:]}. * without some seeds; × diverged, □ failed."
    return [note, lost] if (rows["status"] != "ok").any() else [note]


def plot_map(rows: pd.DataFrame, ax: Axes, value: str) -> Axes:
    """A heat map over f (rows) and sigma (columns), with the number in each cell, in nats.

    Args:
        rows: the map's rows of one method, with their function and sigma.
        ax: to draw on.
        value: "mean" (the estimate), "truth" or "error".
    """
    lines = c.summary(rows, ["function", "sigma"])
    names, sigmas = functions(rows), sorted(set(lines["sigma"]))
    grid = np.full((len(names), len(sigmas)), np.nan)
    texts: dict[Place, str] = {}
    for line in lines.to_dict("records"):
        place = names.index(line["function"]), sigmas.index(line["sigma"])
        grid[place] = line[value] if math.isfinite(line[value]) else math.nan
        texts[place] = cell_text(line, value)
    heat_map(
        ax,
        grid,
        texts,
        fontsize=6.6 if value == "error" else 7,
        hatched=[
            place for place, truth in zip(texts, lines["truth"], strict=True) if math.isinf(truth)
        ],
        gap=0.6,
        **(error_scale(lines) if value == "error" else value_scale(rows)),
    )
    ax.invert_yaxis()
    ax.spines[:].set_visible(False)
    name_cells(
        ax, [function_label(name) for name in names], [signed(s) for s in sigmas], va="center"
    )
    ax.set(xlabel="noise σ", ylabel="f")
    titles = {"mean": "estimate", "truth": "truth", "error": "error = estimate − truth"}
    ax.set_title(titles[value])
    return ax


def value_scale(rows: pd.DataFrame) -> dict[str, Any]:
    """From 0 to the largest finite truth."""
    return {"cmap": "cividis", "vmin": 0.0, "vmax": nats_range(rows)[1]}


def error_scale(lines: pd.DataFrame) -> dict[str, Any]:
    """A diverging scale around 0 that reaches the largest finite error, at least .05 nats."""
    size = np.abs(lines["error"].to_numpy(dtype=float))
    top = max(float(size[np.isfinite(size)].max(initial=0.0)), 0.05)
    return {"cmap": "RdBu_r", "vmin": -top, "vmax": top}


def cell_text(line: Mapping[Any, Any], value: str) -> str:
    """The number of one cell, with a star where some seeds were lost; a sign where all were."""
    text = number_text(float(line[value]), value == "error")
    if value == "truth" or not line["diverged"] + line["failed"]:
        return text
    return f"{text}*" if line["ok"] else ("×" if line["diverged"] else "□")


def number_text(value: float, is_error: bool) -> str:
    """'1.06', '+.021', '∞'; short, because thirty of them stand side by side."""
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if is_error:
        return short(f"{value:+.3f}" if abs(value) < 1 else f"{value:+.1f}")
    return f"{value:.2f}".replace("-", "−")


# Values against R^2


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


def r_squared(function: str, sigma: float) -> float:
    """Var f(X) / (Var f(X) + sigma^2) for X ~ U(-1, 1)."""
    return VARIANCES[function] / (VARIANCES[function] + sigma**2)


def plot_r2(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Estimate and truth in nats against R^2, for each function whose variance is known."""
    known = rows[rows["function"].isin(VARIANCES) & (rows["sigma"] > 0)]
    ax.set_ylim(0.0, 1.15 * nats_range(known)[1])
    for function in functions(known):
        group = known[known["function"] == function]
        lines = c.summary(group, ["sigma"])
        x = np.array([r_squared(function, float(sigma)) for sigma in lines["sigma"]])
        truth_line(ax, *between_points(x, lines["truth"].to_numpy(dtype=float)))
        place = dict(zip(lines["sigma"], x, strict=True))
        look = {**function_look(function), "label": f"f = {function_label(function)}"}
        plot_means(group, ax, lines, "mean", place, **look, elinewidth=1.2, ms=5.5)
    ax.set_xlabel("R², the share of the variance of Y that f(X) explains")
    ax.set_ylabel("mutual information, nats")
    return ax


def plot_means(
    rows: pd.DataFrame,
    ax: Axes,
    lines: pd.DataFrame,
    value: str,
    place: Mapping[float, float],
    **style: Any,
) -> None:
    """One function's means at the places of sigma, those outside the axis, and what was lost.

    Args:
        rows: of the function.
        ax: to draw on.
        lines: their summary by sigma.
        value: "mean" or "error".
        place: sigma -> x.
        style: colour, marker and sizes.
    """
    x, y = lines["sigma"].map(place).to_numpy(dtype=float), lines[value].to_numpy(dtype=float)
    ax.errorbar(x, y, yerr=intervals(lines), ls="none", zorder=4, **style)
    edge_marks(ax, x, y, style["color"])
    lost_cells(ax, rows, "sigma", place, style["color"])


def between_points(x: c.Array, truth: c.Array) -> tuple[Sequence[float], Sequence[float]]:
    """The truth between its points, linear in -log(1 - R^2): about what it is for a Gaussian."""
    information = -np.log1p(-np.sort(x))
    fine = np.linspace(information[0], information[-1], 120)
    values = np.interp(fine, information, truth[np.argsort(x)])
    return list(-np.expm1(-fine)), list(values)


# Self-equitability


def draw_self(on_map: pd.DataFrame, on_self: pd.DataFrame) -> Figure:
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
        plot_side_errors(on_map, on_self, right)
    return figure


def sides(
    on_map: pd.DataFrame, on_self: pd.DataFrame
) -> Iterable[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """(function, summary of I(X;Y) by sigma, summary of I(f(X);Y) by sigma)."""
    for function in functions(on_self):
        yield (
            function,
            c.summary(on_map[(on_map["function"] == function) & (on_map["sigma"] > 0)], ["sigma"]),
            c.summary(on_self[on_self["function"] == function], ["sigma"]),
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
        **function_look(function),
        label=f"f = {function_label(function)}",
    )


def plot_side_errors(on_map: pd.DataFrame, on_self: pd.DataFrame, ax: Axes) -> Axes:
    """Errors in nats against sigma: filled I(X;Y), hollow I(f(X);Y); the band is the tolerance."""
    import pandas as pd

    sigmas, names = sorted(set(on_self["sigma"])), functions(on_self)
    limit = error_limit(pd.concat([on_map, on_self]), 1.25, 0.17, 0.5)
    step = 0.8 / (2 * len(names))
    shade_tolerance(ax, sigmas)
    ax.set_ylim(-limit, limit)
    for i, function in enumerate(names):
        look = function_look(function)
        for side, rows in enumerate((on_map, on_self)):
            group = rows[(rows["function"] == function) & rows["sigma"].isin(sigmas)]
            offset = (2 * i + side - len(names) + 0.5) * step
            place = {sigma: index + offset for index, sigma in enumerate(sigmas)}
            face = {"mfc": "white" if side else look["color"], "elinewidth": 1.0, "ms": 4.0}
            plot_means(group, ax, c.summary(group, ["sigma"]), "error", place, **look, **face)
    truth_level(ax, len(sigmas))
    even_axis(ax, [signed(sigma) for sigma in sigmas])
    ax.set(xlabel="noise σ", ylabel="estimate − truth, nats")
    ax.set_title("errors: filled I(X; Y), hollow I(f(X); Y); band: tolerance")
    return ax


def shade_tolerance(ax: Axes, sigmas: Sequence[float]) -> None:
    """The claims' tolerance at each sigma."""
    edges = np.repeat(np.arange(len(sigmas) + 1) - 0.5, 2)[1:-1]
    band = np.repeat([tolerance(sigma) for sigma in sigmas], 2)
    ax.fill_between(edges, -band, band, color=SHADE, lw=0, zorder=0)
