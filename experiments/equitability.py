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

from experiments.suite.claims.checks import (
    Finding,
    Verdict,
    all_hold,
    check,
    difference,
    number_of,
    strictest,
    verdict_within,
)
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Array, Interval, fewest_seeds
from experiments.suite.claims.rows import errors, summary
from experiments.suite.claims.wording import counted, interval_words, lost, nats, number
from experiments.suite.figures import style as marks
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


TOLERANCE = "within ±0.05 nats (±0.072 bits) for σ ≥ .2, ±0.15 nats (±0.216 bits) at .1"


def tolerance(sigma: float) -> float:
    """.05 nats for sigma >= .2, .15 below: what this suite asks of each cell.

    The paper shows a colour for each and prints no number. Two-dimensional truths run from .16 to
    3.3 nats, so this is a third of the least and 5 % of the largest.
    """
    return 0.05 if sigma > 0.2 - 1e-9 else 0.15


def of_mine(rows: pd.DataFrame, role: str) -> pd.DataFrame:
    """MINE's rows of a role where sigma > 0."""
    return rows[(rows["sigma"] > 0) & (rows["method"] == "mine") & (rows["role"] == role)]


def settings(rows: pd.DataFrame) -> dict[tuple[str, float], pd.DataFrame]:
    """(function, sigma) -> its rows."""
    return {(str(f), float(s)): group for (f, s), group in rows.groupby(["function", "sigma"])}


def name(function: str, sigma: float) -> str:
    return f"f = {marks.function_label(function)}, σ {marks.signed(sigma)}"


def map_figure(rows: pd.DataFrame) -> str:
    """The figure of the map; its dimension is the first one of MINE's rows."""
    return f"equitability_map_mine_{int(of_mine(rows, MAP)['dim'].iloc[0])}d"


def self_figure(rows: pd.DataFrame) -> str:
    """The figure of self-equitability; its dimension is the first one of MINE's rows."""
    return f"equitability_self_mine_{int(of_mine(rows, SELF)['dim'].iloc[0])}d"


@claim(
    "equitability-map", paper=PAPER, figure=map_figure, rule=f"mean error of each cell {TOLERANCE}"
)
def recovers(rows: pd.DataFrame) -> Finding | None:
    """MINE recovers each cell of the map (f × noise)."""
    own = of_mine(rows, MAP)
    checks = [
        check(name(*setting), errors(group), tolerance(setting[1]))
        for setting, group in settings(own).items()
    ]
    return all_hold(checks, "cells of the map", own)


@claim(
    "equitability-invariance",
    paper=PAPER,
    figure=map_figure,
    rule=f"spread over f at each σ {TOLERANCE}, of the true values and the estimates",
    missing="this run has no two functions at one sigma > 0",
)
def invariant(rows: pd.DataFrame) -> Finding | None:
    """Mutual information is invariant to f and depends on the noise alone.

    Measured: the spread (largest - smallest) over f at each sigma, of the true values and of the
    estimates. The sentence is about the mutual information itself, so the true values decide: a
    spread above the map's tolerance at any sigma is a "not reproduced" that no number of seeds can
    change. Where the true values agree, the estimates must agree too, each spread's interval
    within it.
    """
    lines = [
        Spread.of(sigma, groups)
        for sigma, groups in by_sigma(of_mine(rows, MAP)).items()
        if len(groups) > 1 and all(len(errors) for _, errors in groups.values())
    ]
    if not lines:
        return None
    verdict = strictest(line.verdict for line in lines)
    deciding = [line for line in lines if line.verdict == verdict]
    worst = max(deciding, key=lambda line: line.true / line.tolerance)
    wide = sum(line.true > line.tolerance for line in lines)
    values = ", ".join(
        f"{marks.function_label(function)} {number(truth)}"
        for function, truth in sorted(worst.truths.items(), key=lambda one: -one[1])
    )
    words = (
        f"the true values differ by more than the tolerance at {wide} of {len(lines)} noise"
        f" levels; at σ {marks.signed(worst.sigma)} they are {values} nats: spread"
        f" {nats(worst.true)}. The estimates' spread there: {nats(worst.estimated)},"
        f" {interval_words(worst.interval, worst.seeds)}, over {counted(worst.seeds, 'seed')}"
    )
    return Finding(words, verdict, worst.interval)


def by_sigma(rows: pd.DataFrame) -> dict[float, dict[str, tuple[float, Array]]]:
    """sigma -> function -> (truth, errors of shape (S,)), where the truth is finite."""
    found: dict[float, dict[str, tuple[float, Array]]] = {}
    for (function, sigma), group in settings(rows).items():
        truth = float(group["truth"].iloc[0])
        if math.isfinite(truth):
            found.setdefault(sigma, {})[function] = (truth, errors(group))
    return found


@dataclass(frozen=True)
class Spread:
    """Largest - smallest value over f at one sigma, of the true values and of the estimates."""

    sigma: float
    truths: Mapping[str, float]
    estimated: float
    interval: Interval
    seeds: int

    @classmethod
    def of(cls, sigma: float, groups: Mapping[str, tuple[float, Array]]) -> Spread:
        """From a truth and errors of shape (S,) for each function."""
        values = [truth + errors for truth, errors in groups.values()]
        truths = {function: truth for function, (truth, _) in groups.items()}
        return cls(sigma, truths, *number_of(values, spread_of_means), fewest_seeds(values))

    @property
    def true(self) -> float:
        return max(self.truths.values()) - min(self.truths.values())

    @property
    def tolerance(self) -> float:
        return tolerance(self.sigma)

    @property
    def verdict(self) -> Verdict:
        if self.true > self.tolerance:
            return "not reproduced"
        return verdict_within(self.interval, 0.0, self.tolerance, self.seeds)


def spread_of_means(groups: Sequence[Array]) -> Array:
    """Largest minus smallest mean of the groups: shapes (..., S_g) to (...)."""
    means = np.stack([group.mean(-1) for group in groups])
    return np.asarray(means.max(0) - means.min(0))


@claim(
    "equitability-self",
    paper="Sec. 4.2; Kinney & Atwal 2014",
    figure=self_figure,
    rule=f"both sides against each other and against the truth {TOLERANCE}",
)
def self_equitable(rows: pd.DataFrame) -> Finding | None:
    """Self-equitability holds: I(X;Y) = I(f(X);Y) for the same f and noise.

    The two sides are separate estimates on samples of their own, so their difference is that of
    two independent means.
    """
    import pandas as pd

    on_map, on_self = of_mine(rows, MAP), of_mine(rows, SELF)
    left, right = settings(on_map), settings(on_self)
    checks = []
    for setting in left.keys() & right.keys():
        one, two = errors(left[setting]), errors(right[setting])
        limit, where = tolerance(setting[1]), name(*setting)
        checks += [
            check(f"I(X;Y) − truth at {where}", one, limit),
            check(f"I(f(X);Y) − truth at {where}", two, limit),
            difference(f"I(X;Y) − I(f(X);Y) at {where}", one, two, limit),
        ]
    checks.sort(key=lambda one: one.label)
    return all_hold(checks, "comparisons", pd.concat([on_map, on_self]))


claims = [recovers, invariant, self_equitable]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """For each method and dimension: the maps, values against R^2, and self-equitability."""
    drawn: dict[str, Figure] = {}
    with marks.style():
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
    dim = int(rows["dim"].iloc[0])
    where = "X and Y scalar" if dim == 1 else f"X and Y each {dim}-D"
    return f"{marks.label(str(rows['method'].iloc[0]))}, {where}"


def functions(rows: pd.DataFrame) -> list[str]:
    """The functions in the rows, known ones first."""
    found = set(rows["function"])
    return [f for f in marks.FUNCTIONS if f in found] + sorted(found - set(marks.FUNCTIONS))


HATCHED = "#f4f4f4"


def draw_maps(rows: pd.DataFrame) -> Figure:
    """Estimate, truth and error side by side: one colour scale for the first two."""
    from matplotlib.ticker import MaxNLocator

    figure = marks.new_figure(11.0, 1.85 + 0.36 * len(functions(rows)))
    axes = figure.subplots(1, 3)
    for ax, value in zip(axes, ("mean", "truth", "error"), strict=True):
        plot_map(rows, ax, value)
    for ax in axes[1:]:
        ax.set_yticklabels([])
        ax.set_ylabel("")
    for shared, aspect in ((axes[:2], 80), (axes[2:], 38)):
        figure.colorbar(
            shared[0].collections[0],
            ax=list(shared),
            orientation="horizontal",
            pad=0.03,
            aspect=aspect,
            shrink=0.9,
            ticks=MaxNLocator(6),
        )
    title = f"Noisy functions Y = f(X) + σε: {setting(rows)}"
    note = (
        f"{marks.sample_note(rows)} {marks.seed_note(rows).split(' with ')[0]}."
        " In nats (1 nat = 1.443 bits). Hatched: the truth is infinite at σ = 0, a finite estimate"
        " there is an artefact."
    )
    notes = [note]
    if (rows["status"] != "ok").any():
        notes.append(f"Lost: {lost(rows)[2:]}. * without some seeds; × diverged, □ failed.")
    figure.suptitle(title, x=0.005, ha="left", fontsize=10, fontweight="bold")
    figure.supxlabel("\n".join(notes), x=0.005, ha="left", fontsize=7.5)
    figure.set_label(f"{setting(rows)}: heat maps of the estimates, the true values, the errors.")
    return figure


def plot_map(rows: pd.DataFrame, ax: Axes, value: str) -> Axes:
    """A heat map over f (rows) and sigma (columns), with the number in each cell, in nats.

    Args:
        rows: the map's rows of one method, with their function and sigma.
        ax: to draw on.
        value: "mean" (the estimate), "truth" or "error".
    """
    import seaborn

    lines = summary(rows, ["function", "sigma"])
    grid = lines.pivot(index="function", columns="sigma", values=value).loc[functions(rows)]
    scale = (
        error_scale(lines)
        if value == "error"
        else {"cmap": "cividis", "vmin": 0.0, "vmax": marks.nats_range(rows)[1]}
    )
    seaborn.heatmap(
        grid.where(np.isfinite(grid)).astype(float),
        ax=ax,
        linewidths=0.6,
        linecolor="white",
        cbar=False,
        **scale,
    )
    place_x = {sigma: i + 0.5 for i, sigma in enumerate(grid.columns)}
    place_y = {function: i + 0.5 for i, function in enumerate(grid.index)}
    for line in lines.to_dict("records"):
        write_cell(ax, place_x[line["sigma"]], place_y[line["function"]], line, value)
    titles = {"mean": "estimate", "truth": "truth", "error": "error = estimate − truth"}
    ax.set_title(titles[value], loc="left")
    ax.set_xticklabels([marks.signed(float(sigma)) for sigma in grid.columns], rotation=0)
    ax.set_yticklabels([marks.function_label(str(f)) for f in grid.index], rotation=0)
    ax.set_xlabel("noise σ")
    ax.set_ylabel("f")
    ax.tick_params(length=0)
    return ax


def write_cell(ax: Axes, x: float, y: float, line: Mapping[str, Any], value: str) -> None:
    """The number of one cell: hatched if the truth is infinite, a sign if no seed is left."""
    from matplotlib.patches import Rectangle

    number = float(line[value])
    text = cell_text(number, value == "error")
    if value != "truth" and line["diverged"] + line["failed"]:
        text = f"{text}*" if line["ok"] else ("×" if line["diverged"] else "□")
    colour = marks.INK
    if math.isinf(line["truth"]):
        box = Rectangle(
            (x - 0.5, y - 0.5), 1, 1, fc=HATCHED, ec="#b5b5b5", hatch="////", lw=0.0, zorder=2
        )
        ax.add_patch(box)
        colour = marks.ON_COLOUR
    elif math.isfinite(number):
        colour = marks.text_colour(ax.collections[0], number)
    ax.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=6.6 if value == "error" else 7,
        zorder=3,
        color=colour,
        bbox={"fc": HATCHED, "ec": "none", "pad": 0.8} if math.isinf(line["truth"]) else None,
    )


def error_scale(lines: pd.DataFrame) -> dict[str, Any]:
    """A diverging scale around 0 that reaches the largest finite error, at least .05 nats."""
    size = np.abs(lines["error"].to_numpy(dtype=float))
    top = max(float(size[np.isfinite(size)].max(initial=0.0)), 0.05)
    return {"cmap": "RdBu_r", "vmin": -top, "vmax": top}


def cell_text(value: float, is_error: bool) -> str:
    """'1.06', '+.021', '∞'; short, because thirty of them stand side by side."""
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if is_error:
        return marks.short(f"{value:+.3f}" if abs(value) < 1 else f"{value:+.1f}")
    return f"{value:.2f}".replace("-", "−")


def draw_r2(rows: pd.DataFrame) -> Figure:
    """Values against R^2: the functions' curves would coincide if MI were a function of R^2."""
    figure = marks.new_figure(7.4, 4.6)
    ax = figure.subplots()
    plot_r2(rows, ax)
    marks.bits_axis(ax)
    title = f"Values against R²: {setting(rows)}"
    note = (
        f"R² = Var f(X) / (Var f(X) + σ²). {marks.seed_note(rows)}."
        " σ = 0 (R² = 1, truth infinite) is left out."
    )
    marks.entitle(figure, title, rows[rows["sigma"] > 0], [marks.sample_note(rows), note])
    figure.set_label(
        f"{setting(rows)}: estimates and true values against R². If mutual information were a"
        " function of R² alone, the functions' curves would coincide."
    )
    return figure


def r_squared(function: str, sigma: float) -> float:
    """Var f(X) / (Var f(X) + sigma^2) for X ~ U(-1, 1)."""
    return VARIANCES[function] / (VARIANCES[function] + sigma**2)


def plot_r2(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Estimate and truth in nats against R^2, for each function whose variance is known."""
    known = rows[rows["function"].isin(VARIANCES) & (rows["sigma"] > 0)]
    ax.set_ylim(0.0, 1.15 * marks.nats_range(known)[1])
    for function in functions(known):
        group = known[known["function"] == function]
        lines = summary(group, ["sigma"])
        x = np.array([r_squared(function, float(sigma)) for sigma in lines["sigma"]])
        look = marks.function_look(function)
        marks.truth_line(ax, *between_points(x, lines["truth"].to_numpy(dtype=float)))
        ax.errorbar(
            x,
            lines["mean"],
            yerr=marks.bars(lines),
            ls="none",
            elinewidth=1.2,
            ms=5.5,
            zorder=4,
            **look,
            label=f"f = {marks.function_label(function)}",
        )
        marks.edge_marks(ax, x, lines["mean"].to_numpy(dtype=float), look["color"])
        place = dict(zip(lines["sigma"], x, strict=True))
        marks.lost_cells(ax, group, "sigma", place, look["color"])
    ax.set_xlabel("R², the share of the variance of Y that f(X) explains")
    ax.set_ylabel("mutual information, nats")
    return ax


def between_points(x: Array, truth: Array) -> tuple[Sequence[float], Sequence[float]]:
    """The truth between its points, linear in -log(1 - R^2): about what it is for a Gaussian."""
    information = -np.log1p(-np.sort(x))
    fine = np.linspace(information[0], information[-1], 120)
    values = np.interp(fine, information, truth[np.argsort(x)])
    return list(-np.expm1(-fine)), list(values)


def draw_self(on_map: pd.DataFrame, on_self: pd.DataFrame) -> Figure:
    """Both sides against each other, and each against its truth."""
    figure = marks.new_figure(9.4, 4.9)
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.25))
    plot_sides(on_map, on_self, left)
    plot_side_errors(on_map, on_self, right)
    import pandas as pd

    both = pd.concat([on_map[on_map["sigma"] > 0], on_self])
    title = f"Self-equitability: {setting(on_self)}"
    note = (
        f"{marks.seed_note(both)}. The two sides are separate estimates on samples of their own."
    )
    marks.entitle(figure, title, both, [marks.sample_note(both), note])
    figure.set_label(
        f"{setting(on_self)}: estimates of I(X;Y) against I(f(X);Y), and the error of each."
    )
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
    ax.set_xscale("log")
    ax.set_yscale("log")
    low, high, hidden = math.inf, 0.0, 0
    for function, one, two in sides(on_map, on_self):
        both = one.merge(two, on="sigma", suffixes=("_x", "_f"))
        positive = (both["mean_x"] > 0) & (both["mean_f"] > 0)
        hidden += int((~positive).sum())
        both = both[positive]
        ax.errorbar(
            both["mean_x"],
            both["mean_f"],
            xerr=marks.bars(both, "_x"),
            yerr=marks.bars(both, "_f"),
            ls="none",
            elinewidth=1.0,
            ms=5.5,
            zorder=4,
            **marks.function_look(function),
            label=f"f = {marks.function_label(function)}",
        )
        truths = two["truth"].to_numpy(dtype=float)
        ax.plot(truths, truths, "+", color=marks.TRUTH, ms=7, mew=0.7, zorder=11)
        values = np.concatenate([truths, both["mean_x"], both["mean_f"]])
        low, high = min(low, values.min(initial=low)), max(high, values.max(initial=high))
    if high > 0:
        ends = [0.8 * low, 1.25 * high]
        marks.truth_line(ax, ends, ends)
        ax.set_xlim(*ends)
        ax.set_ylim(*ends)
    if hidden:
        text = f"not shown: {hidden} without two estimates above 0"
        ax.text(0.03, 0.97, text, transform=ax.transAxes, va="top", fontsize=7)
    for axis in (ax.xaxis, ax.yaxis):
        marks.plain_log_ticks(axis)
    ax.set_aspect("equal")
    ax.set_title("both sides; + the true values", loc="left")
    ax.set_xlabel("estimate of I(X; Y), nats")
    ax.set_ylabel("estimate of I(f(X); Y), nats")
    return ax


def error_limit(*parts: pd.DataFrame) -> float:
    """Shows errors up to .5 nats; what lies beyond is marked at the edge."""
    size = np.concatenate([np.abs(part["nats"] - part["truth"]) for part in parts])
    return float(np.clip(1.25 * size[np.isfinite(size)].max(initial=0.0), 0.17, 0.5))


def plot_side_errors(on_map: pd.DataFrame, on_self: pd.DataFrame, ax: Axes) -> Axes:
    """Errors in nats against sigma: filled I(X;Y), hollow I(f(X);Y); the band is the tolerance."""
    sigmas = sorted(set(on_self["sigma"]))
    place = {sigma: i for i, sigma in enumerate(sigmas)}
    names = functions(on_self)
    step = 0.8 / (2 * len(names))
    edges = np.repeat(np.arange(len(sigmas) + 1) - 0.5, 2)[1:-1]
    band = np.repeat([tolerance(sigma) for sigma in sigmas], 2)
    ax.fill_between(edges, -band, band, color=marks.SHADE, lw=0, zorder=0)
    ax.set_ylim(*(sign * error_limit(on_map, on_self) for sign in (-1.0, 1.0)))
    for i, function in enumerate(names):
        look = marks.function_look(function)
        for side, rows in enumerate((on_map, on_self)):
            group = rows[(rows["function"] == function) & rows["sigma"].isin(sigmas)]
            offset = (2 * i + side - len(names) + 0.5) * step
            spots = {sigma: index + offset for sigma, index in place.items()}
            lines = summary(group, ["sigma"])
            x, error = lines["sigma"].map(spots).to_numpy(dtype=float), lines["error"].to_numpy()
            ax.errorbar(
                x,
                error,
                yerr=marks.bars(lines),
                ls="none",
                elinewidth=1.0,
                ms=4.0,
                zorder=4,
                **look,
                mfc="white" if side else look["color"],
            )
            marks.edge_marks(ax, x, error, look["color"])
            marks.lost_cells(ax, group, "sigma", spots, look["color"])
    marks.truth_line(ax, [-0.5, len(sigmas) - 0.5], [0.0, 0.0])
    ax.set_xlim(-0.5, len(sigmas) - 0.5)
    ax.set_xticks(range(len(sigmas)), [marks.signed(sigma) for sigma in sigmas])
    ax.set_title("errors: filled I(X; Y), hollow I(f(X); Y); band: tolerance", loc="left")
    ax.set_xlabel("noise σ")
    ax.set_ylabel("estimate − truth, nats")
    return ax
