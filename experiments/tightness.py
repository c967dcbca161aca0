"""Sec. 2.3 and 3.1: how tight the two bounds are at one critic, and what the better one lacks.

For one critic T the value of Donsker and Varadhan is never below that of the f-form, since
log a <= a / e: on the same samples, with C = log E_q[e^T],

    DV - F = e^(C - 1) - C >= 0,        and 0 at C = 1 alone.

Training on the f-form and reporting either value (or C) is three cells of one task and seed, which
see the same samples and train the same critic, bit for bit.

What DV lacks is a divergence (proof of Theorem 1): with dG = e^T dQ / E_q[e^T],

    I - DV(T) = KL(P || G).

The left side is the truth less the value on held-out samples; the right side is an integral over
a grid of (x, y), in which no sample has a part (`gibbs_divergence`; X, Y are scalars).
Both are of one critic, after 1 step, some, or all: each number of steps is a training of its own,
which at a constant learning rate does in them what the longer ones do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.checks import Finding, all_hold, check, measure
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Array, root_mean_square
from experiments.suite.claims.rows import differences
from experiments.suite.claims.wording import counted, nats
from experiments.suite.figures.axes import decades, even_axis, truth_line
from experiments.suite.figures.labels import label, signed, spread
from experiments.suite.figures.notes import seed_note, titled_figure
from experiments.suite.figures.palette import INK, SETTINGS
from experiments.suite.figures.series import method_series
from experiments.suite.grid.cells import Cell, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURE = "tightness"
PAPER = "Sec. 3.1, Theorem 1"
ROUNDING = 1e-5
"""Nats that single precision may lose of a difference of two values."""
CELL = ["rho", "steps"]
VALUES = {"mine_f/dv": "DV", "mine_f": "f-form"}
"""The values of one critic that are compared, as they are printed."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Correlations x points of the training x what is trained and reported x seeds."""
    experiment = config["experiment"]
    tasks = [
        {"_target_": "mine.tasks.MultivariateNormal", "dim_x": 1, "dim_y": 1, "pairs": [float(r)]}
        for r in experiment["rho"]
    ]
    points = [max(1, round(share * config["train"]["steps"])) for share in experiment["shares"]]
    return [
        cell
        for role in experiment["panels"]
        for steps in dict.fromkeys(points)
        for cell in panel_cells(
            role, tasks, config, {"train": {"steps": steps, "schedule": "constant"}}
        )
    ]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with rho as a column."""
    return rows.assign(rho=[float(json.loads(text)["pairs"][0]) for text in rows["params"]])


def beside(rows: pd.DataFrame, methods: tuple[str, ...]) -> pd.DataFrame:
    """nats of these methods as columns, one line for each rho, steps and seed that has them all.

    Failed rows are missing; a diverged one is infinitely far off.
    """
    kept = rows[(rows["status"] != "failed") & rows["method"].isin(methods)]
    lost = (kept["status"] == "diverged") | ~np.isfinite(kept["nats"])
    wide = kept.assign(nats=kept["nats"].mask(lost, math.inf))
    found = wide.pivot(index=[*CELL, "seed"], columns="method", values="nats")
    return found.reindex(columns=list(methods)).dropna().reset_index()


# Claims. Measures and tolerances were written down before any run.


@claim(
    "tightness-above",
    paper="Sec. 2.3",
    figure=FIGURE,
    rule="DV − f-form at least 0 (rounding: −1e−5 nats) in every pair",
    missing="this run has no pairs of both values",
)
def above(rows: pd.DataFrame) -> Finding | None:
    """At one critic DV is never below the f-divergence form on the same samples."""
    groups = differences(rows, "method", "mine_f/dv", "mine_f", CELL)
    if not groups:
        return None
    every = np.concatenate(groups)
    return measure(
        groups,
        least,
        (-ROUNDING, math.inf),
        "DV − f-form at one critic: least {value},"
        f" greatest {nats(float(every.max()), signed=True)},"
        f" of {len(every)} pairs over {{seeds}} a setting",
        rows,
    )


def least(groups: Sequence[Array]) -> Array:
    """The least value over the groups' last axes together: shapes (..., S_g) to (...)."""
    return np.asarray(np.concatenate(groups, -1).min(-1))


@claim(
    "tightness-constant",
    paper="Sec. 2.3",
    figure=FIGURE,
    rule="(DV − f-form) − (e^(C−1) − C) within ±1e−4 nats at each ρ and number of steps",
)
def constant(rows: pd.DataFrame) -> Finding | None:
    """How far DV is above the f-form depends on the constant C of the critic alone.

    All three are values of one critic.
    """
    names = ("mine_f/dv", "mine_f", "mine_f/constant")
    checks = []
    for (rho, steps), group in beside(rows, names).groupby(CELL):
        dv, f_form, of_constant = (group[name].to_numpy(float) for name in names)
        with np.errstate(invalid="ignore", over="ignore"):
            rest = dv - f_form - (np.exp(of_constant - 1.0) - of_constant)
        rest = np.where(np.isfinite(rest), rest, math.inf)
        checks.append(check(f"ρ {signed(float(rho))}, {steps} steps", rest, 1e-4))
    most = f"{max((abs(one.value) for one in checks), default=0.0):.0e}".replace("e-", "e−")
    count = counted(len(checks), "setting")
    words = f"at most {most} nats off on the mean over {{seeds}}, of {count}"
    return all_hold(checks, "critics", rows, words)


def both_sides(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of DV with `divergence`, KL(P || G) of the same critic, and what it was trained as.

    Failed rows are missing; a diverged one has no divergence (infinite).
    """
    import pandas as pd

    kept = rows[rows["status"] != "failed"]
    keys = [*CELL, "seed"]
    found = []
    for trained, value in (("mine", "mine"), ("mine_f", "mine_f/dv")):
        of_g = kept.loc[kept["method"] == f"{trained}/gibbs", [*keys, "nats", "status"]]
        merged = kept[kept["method"] == value].merge(of_g, on=keys, suffixes=("", "_g"))
        fine = (merged["status"] == "ok") & (merged["status_g"] == "ok")
        found.append(
            merged.assign(trained=trained, divergence=merged["nats_g"].where(fine, math.inf))
        )
    return pd.concat(found, ignore_index=True)


def deviations(rows: pd.DataFrame) -> list[Array]:
    """KL(P || G) - (I - DV) over the standard error of DV, (S,) for each critic's setting."""
    both = both_sides(rows)
    rest = both["divergence"] - (both["truth"] - both["nats"])
    both = both.assign(rest=(rest / both["stderr"]).fillna(math.inf))
    return [group["rest"].to_numpy(float) for _, group in both.groupby(["trained", *CELL])]


@claim(
    "tightness-gibbs",
    paper=PAPER,
    figure=FIGURE,
    rule="root mean square of (KL(P ‖ G) by quadrature − (I − DV)) / standard error at most 2",
    missing="this run has no critics with both sides",
)
def gibbs(rows: pd.DataFrame) -> Finding | None:
    """What DV lacks of I is KL(P ‖ G) of the critic's Gibbs density, at any critic.

    1 is what is measured on average where both sides are equal and the standard error is right.
    The critics of one rho and seed share their test samples.
    """
    groups = deviations(rows)
    return measure(
        groups,
        root_mean_square,
        (0.0, 2.0),
        "root mean square deviation {value} standard errors of DV, {interval},"
        f" over {counted(len(groups), 'setting')} of {{seeds}}",
        rows,
        unit=False,
        signed=False,
    )


claims = [above, constant, gibbs]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Both values of one critic through its training, and both sides of the identity."""
    return {FIGURE: draw(table(rows))}


def draw(rows: pd.DataFrame) -> Figure:
    rhos = sorted(set(rows["rho"]))
    with titled_figure(
        3.1 * (len(rhos) + 1.1),
        4.4,
        title="One critic: two values, and what the better one lacks",
        caption="DV and the f-form at one critic; KL(P ‖ G) against I − DV.",
        rows=rows,
        notes=[
            (
                f"X and Y scalar normals. Tested on {spread(rows['n_test'])} fresh samples."
                f" {seed_note(rows)}."
            ),
            "Right: every critic of every seed, ± two standard errors of DV; less is at the edge.",
        ],
    ) as figure:
        *axes, last = figure.subplots(1, len(rhos) + 1)
        for rho, ax in zip(rhos, axes, strict=True):
            plot_values(rows[rows["rho"] == rho], ax)
            ax.set_title(f"ρ = {signed(rho)}, trained on the f-form")
        plot_identity(rows, last)
    return figure


def plot_values(rows: pd.DataFrame, ax: Axes) -> Axes:
    """DV and the f-form in nats against the steps that their critic was trained for."""
    own = rows[rows["method"].isin(list(VALUES))]
    named = own.assign(value=own["method"].map(VALUES)).sort_values("value", kind="stable")
    counts = sorted(set(rows["steps"]))
    truth = float(rows["truth"].iloc[0])
    ok = own.loc[own["status"] == "ok", "nats"]
    ax.set_ylim(max(1.2 * min(float(ok.min()) if len(ok) else 0.0, -0.1), -2.0), 1.25 * truth)
    method_series(named, ax, "steps", counts, "nats", by="value")
    truth_line(ax, [-0.3, len(counts) - 0.7], [truth, truth])
    even_axis(ax, [f"{n:,}" for n in counts], margin=0.3)
    ax.set(xlabel="training steps", ylabel="value on test samples, nats")
    return ax


def plot_identity(rows: pd.DataFrame, ax: Axes) -> Axes:
    """I - DV of held-out samples against KL(P || G) by quadrature, both on log scales."""
    both = both_sides(rows)
    both = both[np.isfinite(both["divergence"])]
    looks = {"mine": ("o", SETTINGS[2]), "mine_f": ("s", SETTINGS[3])}
    ends = 1e-3, 2.0
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    for trained, group in both.groupby("trained"):
        marker, colour = looks[str(trained)]
        ax.errorbar(
            group["divergence"].clip(*ends),
            (group["truth"] - group["nats"]).clip(*ends),
            yerr=2.0 * group["stderr"],
            ms=3.6,
            lw=0,
            elinewidth=0.8,
            alpha=0.8,
            marker=marker,
            color=colour,
            label=f"critic of {label(str(trained))}",
        )
    ax.plot(ends, ends, color=INK, ls=":", lw=1.1, zorder=10, label="equal")
    decades(ax.xaxis)
    decades(ax.yaxis)
    ax.set(xlabel="KL(P ‖ G) by quadrature, nats", ylabel="I − DV on test samples, nats")
    ax.set_title("what DV lacks")
    return ax
