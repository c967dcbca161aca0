"""Sec. 3.2, Eq. 12: what the corrected gradient corrects, and where that stops.

The minibatch gradient of DV is biased, as the log of a batch's mean is not a mean. Eq. 12 puts a
moving average in the denominator. Two panels over batch sizes B and rates (weights of the newest
batch in the average; 1 is plain DV):

- gradient: the critic is trained for a while and then stays as it is, the same for every B and
  rate of a seed. A row's `nats` is the bias of a minibatch gradient and its `stderr` the standard
  deviation of one, both relative to the norm of the full gradient over the row's n_test samples
  (`mine.method.probes.gradient_errors`); its `truth` is that of the task, and none of the bias.
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

from experiments.suite.claims import claim as c
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


def claims(rows: pd.DataFrame) -> list[c.Claim]:
    """The bias falls with B, the average takes off what its rate says, and little was at stake."""
    all_rows = table(rows)
    return [
        falls(all_rows),
        proportional(all_rows),
        small(all_rows),
        helps(all_rows),
        needless(all_rows),
    ]


def claim(
    name: str, rows: pd.DataFrame, found: tuple[str, c.Verdict, c.Interval | None], words: str,
    rule: str,
) -> c.Claim:  # fmt: skip
    measured, verdict, interval = found
    figure = FIGURE if len(rows) else ""
    return c.Claim(f"bias-{name}", "bias", PAPER, words, measured, rule, verdict, figure, interval)


def falls(rows: pd.DataFrame) -> c.Claim:
    """Plain DV: the slope of log bias against log B lies within -1 +- .25, by least squares."""
    plain = {batch: found for (rate, batch), found in biases(rows).items() if rate == PLAIN}
    checks = []
    if len(plain) > 1:
        seeds = sorted(set.intersection(*(set(one.index) for one in plain.values())))
        slopes = [
            slope([(batch, float(one[seed])) for batch, one in plain.items()]) for seed in seeds
        ]
        checks = [c.check("slope + 1", np.array(slopes) + 1.0, 0.25, unit=False)]
    return claim(
        "falls",
        rows,
        c.conclusion(checks if checks and checks[0].seeds else [], rows, "slopes"),
        "The minibatch gradient of DV is biased, by a share that falls as 1/B.",
        "slope of log bias against log B at rate 1 within −1 ± 0.25",
    )


def slope(points: list[tuple[float, float]]) -> float:
    """Of log y against log x, by least squares; infinite where a y is not finite or not > 0."""
    x, y = np.array(points, dtype=float).T
    if not (np.isfinite(y) & (y > 0)).all():
        return math.inf
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def proportional(rows: pd.DataFrame) -> c.Claim:
    """log10 of (bias at the rate / plain bias) less log10 of the rate within +-log10 3."""
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
            checks.append(c.check(label, values, math.log10(3.0), unit=False))
    return claim(
        "corrected",
        rows,
        c.conclusion(checks, rows, "settings"),
        "The moving average takes off the bias, but for a share that is its rate.",
        "bias / plain bias within a factor 3 of the rate, at each rate and B (log10, ±0.477)",
    )


def small(rows: pd.DataFrame) -> c.Claim:
    """Plain DV: bias^2 over the variance of one minibatch gradient is at most 1 % at each B."""
    own = rows[(rows["role"] == GRADIENT) & (rows["rate"] == PLAIN) & (rows["status"] != "failed")]
    checks = []
    for batch, group in own.groupby("batch"):
        share = np.square(group["nats"] / group["stderr"])
        share = share.where((group["status"] == "ok") & np.isfinite(share), math.inf)
        label = f"B {batch}, bias² / variance"
        checks.append(c.check(label, share.to_numpy(float), 0.01, unit=False))
    return claim(
        "small",
        rows,
        c.conclusion(checks, rows, "batch sizes"),
        "What the correction takes off is small beside the scatter of one minibatch gradient.",
        "bias² / variance of plain DV's minibatch gradient at most 0.01 at each B",
    )


def gaps(rows: pd.DataFrame, rate: float, batch: int) -> list[c.Array]:
    """Estimate at that rate less plain DV's, paired by seed."""
    own = rows[(rows["role"] == ESTIMATE) & (rows["batch"] == batch)]
    return c.differences(own, "rate", rate, PLAIN, ["batch"])


def helps(rows: pd.DataFrame) -> c.Claim:
    """At the least B, the estimate at rate .01 less plain DV's is above 0."""
    own = rows[rows["role"] == ESTIMATE]
    measured, interval = "this run has no pairs of both", None
    verdict: c.Verdict = "inconclusive"
    groups = gaps(rows, CORRECTED, int(own["batch"].min())) if len(own) else []
    if groups:
        interval, seeds = c.bootstrap_interval(groups, c.pooled_mean), c.fewest_seeds(groups)
        verdict = c.verdict_within(interval, math.nextafter(0.0, 1.0), math.inf, seeds)
        measured = (
            f"at B = {own['batch'].min()} rate {signed(CORRECTED)} gives"
            f" {c.nats(float(c.pooled_mean(groups)), signed=True)} against plain DV,"
            f" {c.interval_words(interval, seeds, signed=True)}, over {c.counted(seeds, 'seed')}"
            f"{c.lost(own)}"
        )
    return claim(
        "helps",
        rows,
        (measured, verdict, interval),
        "With small batches the correction gives a better estimate (a larger lower bound).",
        "estimate at rate 0.01 − plain DV's above 0 at the least batch size",
    )


def needless(rows: pd.DataFrame) -> c.Claim:
    """At the largest B, each rate's estimate less plain DV's lies within +-.03 nats (2 %)."""
    own = rows[rows["role"] == ESTIMATE]
    checks = []
    for rate in sorted(set(own["rate"]) - {PLAIN}):
        found = gaps(rows, rate, int(own["batch"].max()))
        checks += [c.check(f"rate {signed(rate)}", one, 0.03) for one in found]
    return claim(
        "needless",
        rows,
        c.conclusion(checks, own, "rates"),
        "With large batches there is nothing left to correct.",
        "estimate − plain DV's within ±0.03 nats (±0.043 bits) at the largest batch size",
    )


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
