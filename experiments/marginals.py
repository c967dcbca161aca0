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

from experiments.suite.claims.checks import (
    Finding,
    all_hold,
    compare,
    growth,
    less_than,
    measure,
    pooled_check,
)
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import pooled_mean, root_mean_square
from experiments.suite.claims.rows import differences, errors
from experiments.suite.claims.wording import counted, nats, number
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


def of_mine(rows: pd.DataFrame, *kinds: str) -> pd.DataFrame:
    """MINE's rows of these kinds of marginal pairs."""
    return rows[(rows["method"] == "mine") & rows["kind"].isin(kinds)]


@claim(
    "marginals-shuffle",
    paper="Sec. 3.1; Letizia et al. 2024",
    figure=FIGURE,
    rule="at the largest ρ, shuffle − derangement below minus half of I − KL(P ‖ Q′)",
    missing="this run has no pairs of both kinds",
)
def shuffle_loses(rows: pd.DataFrame) -> Finding | None:
    """A shuffle of the batch leaves true pairs among the marginals, and the estimate falls.

    Half: the critic is trained for a while only, and not to its optimum. The mean is over pairs
    of equal samples and seed. A diverged cell leaves the interval infinite.
    """
    own = rows[rows["method"] == "mine"]
    top = own[own["rho"] == own["rho"].max()]
    if not len(top):
        return None
    dim, rho, batch, truth = top[["dim", "rho", "batch", "truth"]].iloc[0]
    loss = truth - reachable(int(dim), float(rho), int(batch))
    return measure(
        differences(top, "kind", "shuffle", "derangement", GRID),
        pooled_mean,
        (-math.inf, -0.5 * loss),
        f"at ρ {signed(float(rho))} shuffles give"
        " {value} against derangements, {interval}, over {seeds} at each number of samples;"
        f" the true pairs among a batch of {int(batch)} cost {nats(loss)} at the best critic",
        top,
    )


@claim(
    "marginals-agree",
    paper=PAPER,
    figure=FIGURE,
    rule="mean of independent − derangement within ±0.05 nats (±0.072 bits) at each ρ",
)
def agree(rows: pd.DataFrame) -> Finding | None:
    """A derangement of the batch does as well as independent draws of the marginals.

    Measured at each rho, over all samples. .05 nats is 7 % of the lesser truth and a little over
    one standard error of one DV value.
    """
    own = of_mine(rows, "independent", "derangement")
    gaps = {
        float(str(rho)): differences(group, "kind", "independent", "derangement", GRID)
        for rho, group in own.groupby("rho")
    }
    checks = [
        pooled_check(f"ρ {signed(rho)}", groups, 0.05) for rho, groups in gaps.items() if groups
    ]
    return all_hold(checks, "values of ρ", own)


@claim(
    "marginals-more",
    paper="this suite's question",
    figure=FIGURE,
    rule="RMSE at the most samples over RMSE at the fewest below 1 (without shuffles)",
    missing="this run has one number of samples",
)
def more_is_better(rows: pd.DataFrame) -> Finding | None:
    """More marginal samples for each joint one lower the error, at more seconds."""
    own = of_mine(rows, "independent", "derangement")
    few, many = own["samples"].min(), own["samples"].max()
    if not few < many:
        return None
    of_few, of_many = (
        [errors(one) for _, one in own[own["samples"] == samples].groupby(["rho", "kind"])]
        for samples in (few, many)
    )
    return compare(
        of_few,
        of_many,
        root_mean_square,
        growth,
        less_than(1.0),
        f"RMSE {{one}} with {counted(few, 'sample')}, {{two}} with {many}:"
        " ratio {value}, {interval}, over {seeds}",
        own,
        unit=False,
        signed=False,
    )


claims = [shuffle_loses, agree, more_is_better]


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
    ax.set_title(f"ρ = {signed(rho)}: {number(truth)} nats")
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
