"""Sec. 4.2 beyond three functions: smooth bijections keep I, maps of two values to one lower it.

X and Y are correlated normals in R^d. Bijections of each side (cube, asinh, wiggles, rotations,
random flows) leave I(X; Y) as it is, and so should an estimate, within its error. |x| and x^2
forget the sign: I(|X|; Y) is a quadrature (`mine.tasks.Folded`), and the estimate should fall by
that much.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from experiments.suite.claims.checks import Check, Finding, all_hold, difference
from experiments.suite.claims.claim import claim
from experiments.suite.claims.rows import errors
from experiments.suite.claims.wording import number
from experiments.suite.figures.axes import error_limit, even_axis, truth_level, truth_line
from experiments.suite.figures.labels import dim_of
from experiments.suite.figures.notes import sample_note, seed_note, titled_figure
from experiments.suite.figures.palette import INK, SHADE
from experiments.suite.figures.series import method_series, with_error
from experiments.suite.grid.cells import Cell, gaussian_task, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "Sec. 4.2"
FIGURE = "nonlinear"
SAME, LESS = "same", "less"
NONE = "none"
TOLERANCE = 0.05
WAVES = [[0.4, 1.0, 0.0], [0.2, 1.7, 1.0]]


def seeded(kind: str, one: int, two: int) -> dict[str, Any]:
    """Maps of both sides with seeds of their own."""
    target = f"mine.tasks.{kind}"
    return {
        "map_x": {"_target_": target, "seed": one},
        "map_y": {"_target_": target, "seed": two},
    }


MAPS: dict[str, dict[str, Any]] = {
    NONE: {},
    "cube": {"map_x": "cube", "map_y": "cube"},
    "asinh": {"map_x": "asinh", "map_y": "asinh"},
    "wiggly": {side: {"_target_": "mine.tasks.Wiggly", "waves": WAVES}
               for side in ("map_x", "map_y")},
    "rotation": seeded("Rotation", 1, 2),
    "flow": seeded("Flow", 1, 2),
    "other flow": seeded("Flow", 3, 4),
}  # fmt: skip
"""Bijections by name: the fields of `mine.tasks.Warped`."""
FOLDS: dict[str, dict[str, Any]] = {
    "abs x": {"fold_x": "abs", "fold_y": None},
    "square x": {"fold_x": "square", "fold_y": None},
    "abs both": {"fold_x": "abs", "fold_y": "abs"},
}
"""Maps that forget signs, by name: the fields of `mine.tasks.Folded`."""
LABELS = {"cube": "x³", "abs x": "|x|", "square x": "x²", "abs both": "|x|, |y|"}


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """The normals, seen through each map, and each fold."""
    experiment = config["experiment"]
    base = gaussian_task(int(experiment["dim"]), experiment["nats"])
    tasks = {
        SAME: [
            {"_target_": "mine.tasks.Warped", "base": base, **MAPS[name]} if MAPS[name] else base
            for name in experiment["maps"]
        ],
        LESS: [
            {"_target_": "mine.tasks.Folded", "base": base, **FOLDS[name]}
            for name in experiment["folds"]
        ],
    }
    return [
        cell for role in experiment["panels"] for cell in panel_cells(role, tasks[role], config)
    ]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the name of their map and its place on the axis as columns."""
    known = {**MAPS, **FOLDS}
    names = []
    for text in rows["params"]:
        params = json.loads(text)
        own = {k: v for k, v in params.items() if k not in ("base", "dim", "rho")}
        names.append(next(name for name, fields in known.items() if fields == own))
    return rows.assign(map=names, place=[float(list(known).index(name)) for name in names])


# Claims. Measures and tolerances were written down before any run.


def against_none(rows: pd.DataFrame, names: Mapping[str, Any]) -> list[Check]:
    """For each map the difference of its mean error from that of the normals themselves.

    Where the truths are equal it is the difference of the estimates; where they are not, it is by
    how much the estimate falls more, or less, than the truth. The tolerance is what equitability
    asks of its cells: 5 % of this experiment's true value.
    """
    base = errors(rows[rows["map"] == NONE])
    return [
        difference(name, errors(rows[rows["map"] == name]), base, TOLERANCE)
        for name in names
        if name != NONE and len(base) and (rows["map"] == name).any()
    ]


@claim(
    "nonlinear-same",
    paper=PAPER,
    figure=FIGURE,
    rule="estimate with the map − without it within ±0.05 nats (±0.072 bits), for each",
)
def unchanged(rows: pd.DataFrame) -> Finding | None:
    """Smooth bijections of X and of Y leave MINE's estimate unchanged."""
    own = rows[rows["method"] == "mine"]
    return all_hold(against_none(own, MAPS), "bijections", own)


@claim(
    "nonlinear-less",
    paper=f"{PAPER}; data processing",
    figure=FIGURE,
    rule="fall of the estimate − fall of the truth within ±0.05 nats (±0.072 bits), for each",
)
def lowered(rows: pd.DataFrame) -> Finding | None:
    """Maps of two values to one lower the estimate by what they lose."""
    own = rows[rows["method"] == "mine"]
    found = all_hold(against_none(own, FOLDS), "folds", own)
    truths = own[own["role"] == LESS].groupby("map", sort=False)["truth"].first()
    values = ", ".join(f"{LABELS.get(name, name)} {number(t)}" for name, t in truths.items())
    return found and replace(found, after=f"; true values {values} nats")


claims = [unchanged, lowered]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Estimates of all maps and folds, beside the truth."""
    return {FIGURE: draw(table(rows))}


def draw(rows: pd.DataFrame) -> Figure:
    with titled_figure(
        7.6,
        5.4,
        title=f"Normals seen through maps, X and Y each {dim_of(rows)}-D",
        caption="Estimates and errors of normals seen through bijections and through folds.",
        rows=rows,
        notes=[
            sample_note(rows),
            f"{seed_note(rows, faint='faint marks')}. Shaded: the claims' tolerance.",
        ],
    ) as figure:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1.3, 1.0))
        plot_estimates(rows, top)
        plot_errors(rows, bottom)
    return figure


def plot_estimates(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Estimate in nats for each map."""
    truths = rows.groupby("place")["truth"].first()
    ax.set_ylim(0.0, 1.35 * float(truths.max()))
    series(rows, ax, "nats")
    ends = [x for i in range(len(truths)) for x in (i - 0.5, i + 0.5)]
    truth_line(ax, ends, [float(t) for t in truths for _ in range(2)])
    ax.set_ylabel("mutual information, nats")
    return ax


def plot_errors(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Estimate - truth in nats for each map."""
    limit = error_limit(rows, 1.15, 3 * TOLERANCE, 1.0)
    ax.set_ylim(-limit, limit)
    ax.axhspan(-TOLERANCE, TOLERANCE, color=SHADE, zorder=0, lw=0)
    series(with_error(rows), ax, "error")
    truth_level(ax, rows["place"].nunique())
    ax.set_ylabel("estimate − truth, nats")
    return ax


def series(rows: pd.DataFrame, ax: Axes, value: str) -> None:
    """Each method's values at the maps, which no line joins; the axis with the maps' names."""
    names = rows.groupby("place")["map"].first()
    method_series(rows, ax, "place", sorted(names.index), value, apart=True, joined=False)
    even_axis(ax, [LABELS.get(name, name) for name in names])
    kept = rows.loc[rows["role"] == SAME, "place"].nunique()
    ax.axvline(kept - 0.5, color=INK, lw=0.7, zorder=1)
