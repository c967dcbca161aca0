"""Sec. 3.2, Eq. 12: what the corrected gradient corrects, and where that stops.

The minibatch gradient of DV is biased, as the log of a batch's mean is not a mean. Eq. 12 puts a
moving average in the denominator. Two panels over batch sizes B and rates (weights of the newest
batch in the average; 1 is plain DV):

- gradient: the critic is trained for a while and then stays as it is, the same for every B and
  rate of a seed. A row's `nats` is the bias of a minibatch gradient and its `stderr` the standard
  deviation of one, both relative to the norm of the full gradient over the row's n_test samples
  (`experiments.probes.gradient`); its `truth` is that of the task, and none of the bias.
- estimate: ordinary trainings at that B and rate with equal steps, so that a larger batch draws
  more samples. Only here the average lags behind a critic that moves.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.checks import Finding, all_hold, check, measure, more_than
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Array, pooled_mean
from experiments.suite.claims.rows import differences
from experiments.suite.figures.axes import (
    decades,
    even_axis,
    log_axis,
    plain_log_ticks,
    truth_level,
)
from experiments.suite.figures.labels import dim_of, signed, spread
from experiments.suite.figures.notes import seed_note, titled_figure
from experiments.suite.figures.palette import INK, looks
from experiments.suite.figures.series import method_series, with_error
from experiments.suite.grid.cells import Cell, gaussian_task, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "Sec. 3.2"
FIGURE = "bias"
GRADIENT, ESTIMATE = "gradient", "estimate"
PLAIN = 1.0
"""The rate at which the moving average is the newest batch."""
CORRECTED = 0.01
"""The rate that the claim on estimates is about."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Batch sizes x rates x seeds, for the gradient and for the estimate."""
    experiment = config["experiment"]
    tasks = [gaussian_task(int(experiment["dim"]), experiment["nats"])]
    width = {"critic": {"hidden": [int(experiment["width"])]}}
    rows = int(experiment["population"]) * int(config["scale"]["n_test"])
    found = []
    for role in experiment["panels"]:
        for batch in experiment["batches"]:
            for rate in experiment["rates"]:
                if role == GRADIENT:
                    whole = panel_cells(role, tasks, config, {**width, "scale": {"n_test": rows}})
                    name = f"(batch={int(batch)}, rate={float(rate):g})"
                    found += [replace(cell, method=f"{cell.method}{name}") for cell in whole]
                else:
                    own = {"train": {"batch_size": int(batch), "ema_rate": float(rate)}}
                    found += panel_cells(role, tasks, config, {**width, **own})
    return found


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with batch and rate as columns."""
    named = [settings(m, p) for m, p in zip(rows["method"], rows["params"], strict=True)]
    return rows.assign(batch=[one[0] for one in named], rate=[one[1] for one in named])


def settings(method: str, params: str) -> tuple[int, float]:
    """Batch size and rate, of the method's name or of the training."""
    found = re.search(r"\(batch=(\d+), rate=([\d.e-]+)\)", method)
    if found:
        return int(found[1]), float(found[2])
    train = json.loads(params)["train"]
    return int(train["batch_size"]), float(train["ema_rate"])


def biases(rows: pd.DataFrame) -> dict[tuple[float, int], pd.Series]:
    """Relative bias by seed for each (rate, batch); infinite where the cell diverged."""
    own = rows[(rows["role"] == GRADIENT) & (rows["status"] != "failed")]
    lost = (own["status"] == "diverged") | ~np.isfinite(own["nats"])
    own = own.assign(nats=own["nats"].mask(lost, math.inf))
    return {
        (float(str(rate)), int(str(batch))): group.set_index("seed")["nats"]
        for rate, of_rate in own.groupby("rate")
        for batch, group in of_rate.groupby("batch")
    }


# Claims. Measures and tolerances were written down before any run.


@claim(
    "bias-falls",
    paper=PAPER,
    figure=FIGURE,
    rule="slope of log bias against log B at rate 1 within −1 ± 0.25",
)
def falls(rows: pd.DataFrame) -> Finding | None:
    """The minibatch gradient of DV is biased, by a share that falls as 1/B."""
    plain = {batch: found for (rate, batch), found in biases(rows).items() if rate == PLAIN}
    if len(plain) < 2:
        return None
    seeds = sorted(set.intersection(*(set(one.index) for one in plain.values())))
    slopes = [slope([(batch, float(one[seed])) for batch, one in plain.items()]) for seed in seeds]
    checks = [check("slope + 1", np.array(slopes) + 1.0, 0.25, unit=False)] if slopes else []
    return all_hold(checks, "slopes", rows)


def slope(points: list[tuple[float, float]]) -> float:
    """Of log y against log x, by least squares; infinite where a y is not finite or not > 0."""
    x, y = np.array(points, dtype=float).T
    if not (np.isfinite(y) & (y > 0)).all():
        return math.inf
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


@claim(
    "bias-corrected",
    paper=PAPER,
    figure=FIGURE,
    rule="bias / plain bias within a factor 3 of the rate, at each rate and B (log10, ±0.477)",
)
def proportional(rows: pd.DataFrame) -> Finding | None:
    """The moving average takes off the bias, but for a share that is its rate."""
    found = biases(rows)
    checks = []
    for (rate, batch), own in found.items():
        plain = found.get((PLAIN, batch))
        if rate == PLAIN or plain is None:
            continue
        seeds = own.index.intersection(plain.index)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.log10(own[seeds] / plain[seeds]) - math.log10(rate)
        values = ratio.where(np.isfinite(ratio), math.inf).to_numpy(float)
        if len(values):
            label = f"rate {signed(rate)}, B {batch}, log10 of the ratio over the rate"
            checks.append(check(label, values, math.log10(3.0), unit=False))
    return all_hold(checks, "settings", rows)


@claim(
    "bias-small",
    paper=PAPER,
    figure=FIGURE,
    rule="bias² / variance of plain DV's minibatch gradient at most 0.01 at each B",
)
def small(rows: pd.DataFrame) -> Finding | None:
    """What the correction takes off is small beside the scatter of one minibatch gradient."""
    own = rows[(rows["role"] == GRADIENT) & (rows["rate"] == PLAIN) & (rows["status"] != "failed")]
    checks = []
    for batch, group in own.groupby("batch"):
        share = np.square(group["nats"] / group["stderr"])
        share = share.where((group["status"] == "ok") & np.isfinite(share), math.inf)
        label = f"B {batch}, bias² / variance"
        checks.append(check(label, share.to_numpy(float), 0.01, unit=False))
    return all_hold(checks, "batch sizes", rows)


def gaps(rows: pd.DataFrame, rate: float, batch: int) -> list[Array]:
    """Estimate at that rate less plain DV's, paired by seed."""
    return differences(rows[rows["batch"] == batch], "rate", rate, PLAIN, ["batch"])


@claim(
    "bias-helps",
    paper=PAPER,
    figure=FIGURE,
    rule="estimate at rate 0.01 − plain DV's above 0 at the least batch size",
    missing="this run has no pairs of both",
)
def helps(rows: pd.DataFrame) -> Finding | None:
    """With small batches the correction gives a better estimate (a larger lower bound)."""
    own = rows[rows["role"] == ESTIMATE]
    least = own["batch"].min()
    return measure(
        gaps(own, CORRECTED, least),
        pooled_mean,
        more_than(0.0),
        f"at B = {least} rate {signed(CORRECTED)} gives"
        " {value} against plain DV, {interval}, over {seeds}",
        own,
    )


@claim(
    "bias-needless",
    paper=PAPER,
    figure=FIGURE,
    rule="estimate − plain DV's within ±0.03 nats (±0.043 bits) at the largest batch size",
)
def needless(rows: pd.DataFrame) -> Finding | None:
    """With large batches there is nothing left to correct.

    .03 nats is 2 % of the true value.
    """
    own = rows[rows["role"] == ESTIMATE]
    checks = [
        check(f"rate {signed(rate)}", one, 0.03)
        for rate in sorted(set(own["rate"]) - {PLAIN})
        for one in gaps(own, rate, own["batch"].max())
    ]
    return all_hold(checks, "rates", own)


claims = [falls, proportional, small, helps, needless]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Bias and scatter of the gradient, and the estimate, against the batch size."""
    return {FIGURE: draw(table(rows))}


def draw(rows: pd.DataFrame) -> Figure:
    ordered = rows.sort_values("rate", ascending=False, kind="stable")
    named = ordered.assign(setting=[rate_name(rate) for rate in ordered["rate"]])
    gradient, estimate = (named[named["role"] == role] for role in (GRADIENT, ESTIMATE))
    trained, tested, steps = gradient["steps"], gradient["n_test"], estimate["steps"]
    with titled_figure(
        9.8,
        4.6,
        title=f"What the moving average of Eq. 12 corrects: X and Y each {dim_of(rows)}-D normal",
        caption="Bias and scatter of minibatch gradients, and estimates, against batch size.",
        rows=rows,
        notes=[
            (
                f"Left, middle: one critic a seed after {spread(trained)} steps, held still;"
                f" G over {spread(tested)}."
            ),
            f"Right: {spread(steps)} steps at each batch size. {seed_note(rows)}.",
        ],
    ) as figure:
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.0, 1.0, 1.15))
        plot_bias(gradient, left)
        plot_scatter(gradient, middle)
        plot_estimates(estimate, right)
    return figure


def rate_name(rate: float) -> str:
    return "plain DV" if rate == PLAIN else f"rate {signed(rate)}"


def plot_bias(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Relative bias of a minibatch gradient against B, on log scales."""
    plot_gradient(rows, ax, "nats", -1.0, "1/B")
    decades(ax.yaxis)
    ax.set_ylabel("over |full gradient G|")
    ax.set_title("bias of a minibatch gradient")
    return ax


def plot_scatter(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Relative scatter of a minibatch gradient against B, on log scales."""
    plot_gradient(rows, ax, "stderr", -0.5, "1/√B")
    plain_log_ticks(ax.yaxis)
    ax.set_title("its standard deviation")
    return ax


def plot_gradient(rows: pd.DataFrame, ax: Axes, column: str, power: float, name: str) -> None:
    """A column's seeds and means against B, with the line that falls like this power of B."""
    ok = rows[(rows["status"] == "ok") & (rows[column] > 0)]
    ax.set(xscale="log", yscale="log")
    for i, (setting, look) in enumerate(looks(rows, "setting").items()):
        own = ok[ok["setting"] == setting]
        mean = own.groupby("batch")[column].mean()
        ax.scatter(own["batch"], own[column], s=7, color=look["color"], alpha=0.35, lw=0)
        ax.plot(mean.index, mean, ms=3.2 + 0.8 * i, lw=1.0, zorder=4 - i / 100, **look)
    plot_guide(ax, ok[ok["rate"] == PLAIN].groupby("batch")[column].mean(), power, name)
    batches = sorted(set(rows["batch"]))
    log_axis(ax, batches, [str(batch) for batch in batches])
    ax.set_xlabel("batch size B")


def plot_guide(ax: Axes, means: pd.Series, power: float, name: str) -> None:
    """A dotted line that falls like a power of B, above the first of these means."""
    if not len(means):
        return
    at = np.array(means.index, dtype=float)
    guide = 1.8 * float(means.iloc[0]) * (at / at[0]) ** power
    ax.plot(at, guide, color=INK, ls=":", lw=1.0, label=f"_{name}")
    ax.annotate(name, (at[0], guide[0]), xytext=(8, 0), textcoords="offset points",
                ha="left", va="bottom", fontsize=7.5)  # fmt: skip


def plot_estimates(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Final estimate less the truth in nats against B, a line for each rate."""
    batches = sorted(set(rows["batch"]))
    shown = with_error(rows)
    ok = shown.loc[shown["status"] == "ok", "error"]
    lowest = float(ok.min()) if len(ok) else -0.1
    ax.set_ylim(max(1.15 * min(lowest, -0.05), -2.0), 0.1)
    method_series(shown, ax, "batch", batches, "error", by="setting", apart=True)
    truth_level(ax, len(batches))
    even_axis(ax, [str(batch) for batch in batches])
    ax.set_xlabel("batch size B")
    ax.set_title("estimate − truth, nats")
    return ax
