"""Sec. 3.1: where marginal pairs come from, and how many of them a joint pair takes.

The paper draws marginal samples by shuffling y along the batch. A shuffle of a batch of B leaves
each pair a true one with probability 1/B, so that training ascends towards log P/Q' with

    Q' = (1 - 1/B) Q + P/B,    KL(P || Q') <= min(I(X; Y), ln B)    (Letizia et al. 2024),

where a derangement or independent draws have Q itself. X and Y are normal in R^d with
correlations rho; all values are measured on fresh samples with deranged partners.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims import claim as c
from experiments.suite.figures.axes import error_limit, even_axis, truth_level
from experiments.suite.figures.labels import signed
from experiments.suite.figures.notes import sample_note, seed_note, titled_figure
from experiments.suite.figures.palette import INK, looks
from experiments.suite.figures.series import method_series
from experiments.suite.grid.cells import Cell, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "Sec. 3.1"
FIGURE = "marginals"
GRID = ["rho", "samples"]


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Kinds x marginal samples x rho x seeds."""
    experiment = config["experiment"]
    tasks = [
        {"_target_": "mine.tasks.CorrelatedGaussian", "dim": experiment["dim"], "rho": float(rho)}
        for rho in experiment["rho"]
    ]
    return [
        cell
        for role in experiment["panels"]
        for kind in experiment["marginals"]
        for samples in experiment["marginal_samples"]
        for cell in panel_cells(
            role,
            tasks,
            config,
            {
                "train": {
                    "batch_size": experiment["batch_size"],
                    "marginal": kind,
                    "marginal_samples": samples,
                }
            },
        )
    ]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with rho, kind, samples and batch as columns."""
    params = [json.loads(text) for text in rows["params"]]
    return rows.assign(
        rho=[float(one["rho"]) for one in params],
        kind=[str(one["train"]["marginal"]) for one in params],
        samples=[int(one["train"]["marginal_samples"]) for one in params],
        batch=[int(one["train"]["batch_size"]) for one in params],
    )


@lru_cache(maxsize=64)
def reachable(dim: int, rho: float, batch: int) -> float:
    """KL(P || (1 - 1/B) Q + P/B) in nats: what a critic trained on shuffles can tell.

    Under P the log-ratio is L = I + rho/2 (A - A') with A, A' chi-square of d degrees, and the
    divergence E[L - log(1 - 1/B + e^L / B)]: a mean of 400,000 draws, good to .002 nats.
    """
    mi = -0.5 * dim * math.log1p(-rho * rho)
    a, b = np.random.default_rng(0).chisquare(dim, (2, 400_000))
    ratio = mi + 0.5 * rho * (a - b)
    mixed = np.logaddexp(math.log1p(-1.0 / batch), ratio - math.log(batch))
    return mi - float(mixed.mean())


# Claims. Measures and tolerances were written down before any run.


def claims(rows: pd.DataFrame) -> list[c.Claim]:
    """What a shuffle costs, that the two others agree, and what more samples buy."""
    all_rows = table(rows)
    all_rows = all_rows[all_rows["method"] == "mine"]
    return [shuffle_loses(all_rows), agree(all_rows), more_is_better(all_rows)]


def shuffle_loses(rows: pd.DataFrame) -> c.Claim:
    """At the largest rho, shuffle less derangement is at most minus half of I - KL(P || Q').

    Half: the critic is trained for a while only, and not to its optimum. The mean is over pairs
    of equal samples and seed. A diverged cell leaves the interval infinite.
    """
    measured, interval, verdict = "this run has no pairs of both kinds", None, "inconclusive"
    top = rows[rows["rho"] == rows["rho"].max()]
    groups = c.differences(top, "kind", "shuffle", "derangement", GRID)
    if groups:
        first = top.iloc[0]
        loss = first["truth"] - reachable(
            int(first["dim"]), float(first["rho"]), int(first["batch"])
        )
        interval = c.bootstrap_interval(groups, c.pooled_mean)
        seeds = c.fewest_seeds(groups)
        verdict = c.verdict_within(interval, -math.inf, -0.5 * loss, seeds)
        measured = (
            f"at ρ {signed(float(first['rho']))} shuffles give"
            f" {c.nats(float(c.pooled_mean(groups)), signed=True)} against derangements,"
            f" {c.interval_words(interval, seeds, signed=True)}, over {c.counted(seeds, 'seed')}"
            f" at each number of samples; the true pairs among a batch of {first['batch']} cost"
            f" {c.nats(loss)} at the best critic{c.lost(top)}"
        )
    return c.Claim(
        "marginals-shuffle",
        "marginals",
        "Sec. 3.1; Letizia et al. 2024",
        "A shuffle of the batch leaves true pairs among the marginals, and the estimate falls.",
        measured,
        "at the largest ρ, shuffle − derangement below minus half of I − KL(P ‖ Q′)",
        verdict,  # type: ignore[arg-type]
        FIGURE if len(rows) else "",
        interval,
    )


def agree(rows: pd.DataFrame) -> c.Claim:
    """Independent draws less derangement lies within +-.05 nats at each rho, over all samples.

    .05 nats is 7 % of the lesser truth and a little over one standard error of one DV value.
    """
    checks = []
    for rho, group in rows.groupby("rho"):
        groups = c.differences(group, "kind", "independent", "derangement", GRID)
        if groups:
            checks.append(
                c.Check(
                    f"ρ {signed(float(str(rho)))}",
                    float(c.pooled_mean(groups)),
                    c.bootstrap_interval(groups, c.pooled_mean),
                    0.05,
                    c.fewest_seeds(groups),
                )
            )
    compared = rows[rows["kind"] != "shuffle"]
    measured, verdict, interval = c.conclusion(checks, compared, "values of ρ")
    return c.Claim(
        "marginals-agree",
        "marginals",
        PAPER,
        "A derangement of the batch does as well as independent draws of the marginals.",
        measured,
        "mean of independent − derangement within ±0.05 nats (±0.072 bits) at each ρ",
        verdict,
        FIGURE if len(rows) else "",
        interval,
    )


def more_is_better(rows: pd.DataFrame) -> c.Claim:
    """RMSE at the most marginal samples over RMSE at the fewest, without shuffles, is below 1."""
    measured, interval, verdict = "this run has one number of samples", None, "inconclusive"
    kept = rows[rows["kind"] != "shuffle"]
    few, many = kept["samples"].min(), kept["samples"].max()
    groups = [
        [c.errors(one) for _, one in kept[kept["samples"] == samples].groupby(["rho", "kind"])]
        for samples in (few, many)
    ]
    if few < many and all(len(one) for side in groups for one in side):
        cut = len(groups[0])

        def ratio(drawn: Sequence[c.Array]) -> c.Array:
            with np.errstate(divide="ignore", invalid="ignore"):
                return c.root_mean_square(drawn[cut:]) / c.root_mean_square(drawn[:cut])

        both = [*groups[0], *groups[1]]
        interval, seeds = c.bootstrap_interval(both, ratio), c.fewest_seeds(both)
        verdict = c.verdict_within(interval, 0.0, math.nextafter(1.0, 0.0), seeds)
        measured = (
            f"RMSE {c.nats(float(c.root_mean_square(groups[0])))} with {c.counted(few, 'sample')},"
            f" {c.nats(float(c.root_mean_square(groups[1])))} with {many}: ratio"
            f" {c.number(float(ratio(both)))}, {c.interval_words(interval, seeds, unit=False)},"
            f" over {c.counted(seeds, 'seed')}{c.lost(kept)}"
        )
    return c.Claim(
        "marginals-more",
        "marginals",
        "this suite's question",
        "More marginal samples for each joint one lower the error, at more seconds.",
        measured,
        "RMSE at the most samples over RMSE at the fewest below 1 (without shuffles)",
        verdict,  # type: ignore[arg-type]
        FIGURE if len(rows) else "",
        interval,
    )


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Estimates at each rho above; spread over seeds and seconds below."""
    return {FIGURE: draw(table(rows))}


def draw(rows: pd.DataFrame) -> Figure:
    rhos = sorted(set(rows["rho"]))
    first = rows.iloc[0]
    with titled_figure(
        8.4,
        6.4,
        title=f"Marginal pairs: X and Y each {first['dim']}-D normal, batch {first['batch']}",
        caption="How marginal pairs are made: estimate, spread over seeds and seconds against the"
        " number of marginal pairs for each joint one.",
        rows=rows,
        notes=[
            f"{sample_note(rows)} {seed_note(rows)}.",
            "Dotted: KL(P ‖ Q′), what the best critic trained on shuffles can tell.",
        ],
    ) as figure:
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.5, 1.0)).flat
        axes = above.subplots(1, len(rhos), squeeze=False)[0]
        for ax, rho in zip(axes, rhos, strict=True):
            plot_estimates(rows[rows["rho"] == rho], ax)
        axes[0].set_ylabel("mutual information, nats")
        left, right = below.subplots(1, 2)
        plot_spread(rows, left)
        plot_seconds(rows, right)
    return figure


def plot_estimates(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Estimate in nats against marginal samples at one rho, a line for each kind."""
    counts = sorted(set(rows["samples"]))
    first = rows.iloc[0]
    truth, rho = float(first["truth"]), float(first["rho"])
    loss = truth - reachable(int(first["dim"]), rho, int(first["batch"]))
    room = min(error_limit(rows, 1.1, max(2.0 * loss, 0.1)), max(truth, 0.5))
    ax.set_ylim(truth - room, truth + room)
    method_series(rows, ax, "samples", counts, "nats", apart=True, by="kind")
    truth_level(ax, len(counts), truth)
    ax.axhline(truth - loss, color=INK, ls=":", lw=0.9, zorder=2)
    samples_axis(ax, counts)
    ax.set_title(f"ρ = {signed(rho)}: {c.number(truth)} nats")
    return ax


def plot_spread(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Standard deviation over seeds in nats, the mean over rho, against marginal samples."""
    kept = rows[(rows["status"] == "ok")]
    found = kept.groupby(["kind", "samples", "rho"])["nats"].std().groupby(["kind", "samples"])
    return plot_numbers(rows, ax, found.mean(), "std over seeds, nats")


def plot_seconds(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Seconds of a cell's share of its stack against marginal samples."""
    found = rows.groupby(["kind", "samples"])["seconds"].mean()
    return plot_numbers(rows, ax, found, "seconds a cell")


def plot_numbers(rows: pd.DataFrame, ax: Axes, values: pd.Series, what: str) -> Axes:
    counts = sorted(set(rows["samples"]))
    for kind, look in looks(rows, "kind").items():
        own = [float(values.get((kind, count), math.nan)) for count in counts]
        ax.plot(range(len(counts)), own, ms=4, lw=1.0, **look)
    ax.set_ylim(bottom=0.0)
    ax.set_ylabel(what)
    samples_axis(ax, counts)
    return ax


def samples_axis(ax: Axes, counts: Sequence[int]) -> None:
    even_axis(ax, [str(count) for count in counts])
    ax.set_xlabel("marginal pairs for each joint pair")
