r"""Sec. 5.1: does a generator that maximises I(G([eps, c]); c) miss fewer modes?

GANs on mixtures in the plane, at two settings. At "weak" the discriminator learns ten times as
slowly as the generator, and a plain GAN collapses. At "equal" all networks learn at one rate, as
in the paper. Arms (`experiments.generative.arms`): the plain GAN; MINE's term with weights .1, .3
and 1, clipped adaptively; the same not clipped; a zero-centred gradient penalty without MINE. Arms
of one seed begin with the same networks and see the same data and noise, so that they are paired.

No count of modes stands here without the share of samples of high quality, nor without the null
line: a uniform cloud, which knows nothing of the data, touches 23 of a grid's 25 modes. The modes
that claims are about have at least a fifth of their fair part of the samples.

The truth of a row is unknown. Its `nats` is I(G; c) by T on noise that trained nothing; the other
measures stand in its column `measures` (`experiments.generative.collapse`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.generative.mixture_measures import draw_tradeoff, draw_training
from experiments.generative.mixture_samples import draw_samples, draw_shapes
from experiments.generative.shapes import Shape, null_quality
from experiments.suite.claims.checks import (
    Check,
    Finding,
    all_hold,
    measure,
    more_than,
    number_of,
)
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Array, Interval, pooled_mean
from experiments.suite.claims.measures import measure as measure_of
from experiments.suite.claims.wording import interval_words, number
from experiments.suite.grid.cells import Cell, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PAPER = "Sec. 5.1"
SAMPLES, TRAINING, TRADEOFF, SHAPES = (
    "mode_collapse",
    "mode_collapse_training",
    "mode_collapse_tradeoff",
    "mode_collapse_shapes",
)
WEAK, EQUAL = "weak", "equal"
GAN, MINE, UNCLIPPED, PENALTY = "gan", "mine", "mine(clip=0)", "penalty"
RESCUED = 4
"""Modes of 8."""
COST = 0.05
"""The share of high quality that may be lost."""
TWICE = 2.0
"""How many times a uniform cloud's quality a verdict on coverage asks for."""
BETA2 = 0.999
"""Adam's."""
MIXTURE = ("kind", "modes", "size", "sigma", "turns")


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Panels, each a mixture at a setting, x arms x seeds."""
    experiment = config["experiment"]
    found = []
    for role, panel in experiment["panels"].items():
        task = {
            "_target_": "experiments.generative.collapse.Collapse",
            **experiment["model"],
            **{name: panel[name] for name in MIXTURE if name in panel},
            "discriminator_rate": float(panel["slow"]) * float(experiment["model"]["rate"]),
        }
        train = {**experiment["train"], "betas": (float(panel["beta1"]), BETA2)}
        changes = {"train": train, "critic": experiment["critic"]}
        found += panel_cells(role, [task], config, changes)
    return found


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the measures of quality as columns; those of a lost cell are the worst."""
    shapes = [shape_of(text) for text in rows["params"]]
    worst = {
        "modes": np.zeros(len(rows)),
        "touched": np.zeros(len(rows)),
        "quality": np.zeros(len(rows)),
        "kl": np.array([math.log(shape.modes) for shape in shapes]),
        "ksg": np.zeros(len(rows)),
    }
    found = {
        name: np.where(np.isfinite(values := measure_of(rows, name)), values, least)
        for name, least in worst.items()
    }
    return rows.assign(shape=shapes, **found)


def shape_of(params: str) -> Shape:
    """The mixture of a row."""
    given = json.loads(params)
    return Shape(**{name: given[name] for name in MIXTURE if name in given})


# What is judged: differences of two arms, paired by seed


def gaps(rows: pd.DataFrame, role: str, name: str, one: str, two: str) -> Array:
    """A measure of one arm less that of another at the seeds that both have, (S,).

    A diverged cell has no samples: it counts with the worst value. A failed one is missing.
    """
    own = rows[(rows["role"] == role) & (rows["status"] != "failed")]
    sides = [own[own["method"] == arm].set_index("seed")[name] for arm in (one, two)]
    seeds = sorted(set(sides[0].index) & set(sides[1].index))
    return np.array([sides[0][seed] - sides[1][seed] for seed in seeds], dtype=float)


def gap_check(label: str, values: Array, bounds: Interval) -> Check:
    """That the mean of differences (S,) lies within bounds."""
    value, interval = number_of([values], pooled_mean)
    words = (
        f"{label}: {number(value, signed=True)},"
        f" {interval_words(interval, len(values), signed=True, unit=False)}"
    )
    return Check(label, value, interval, bounds, len(values), words, (bounds[0] - interval[0],))


def gap_finding(
    rows: pd.DataFrame, role: str, name: str, arms: tuple[str, str], low: float, words: str
) -> Finding | None:
    """The finding that a mean difference of two arms is above `low`."""
    own = rows[(rows["role"] == role) & rows["method"].isin(arms)]
    means = [f"{own.loc[own['method'] == arm, name].mean():.2f}" for arm in arms]
    values = gaps(rows, role, name, *arms)
    bounds = (low, math.inf) if low else more_than(0.0)
    return measure(
        [values] if len(values) else [], pooled_mean, bounds, words, own, unit=False,
        one=means[0], two=means[1],
    )  # fmt: skip


# Claims. Measures and tolerances were written down before any run with the seeds that they judge.


@claim(
    "mode_collapse-prevents",
    paper=PAPER,
    figure=SAMPLES,
    rule="modes of 8 with MINE less those of the GAN at least 4, where the discriminator is slow",
)
def prevents(rows: pd.DataFrame) -> Finding | None:
    """MINE's term prevents mode collapse where a plain GAN collapses.

    A mode counts with at least a fifth of its fair part of samples of high quality.
    """
    words = "modes of 8: MINE {one}, GAN {two}; difference {value}, {interval}, over {seeds}"
    return gap_finding(rows, WEAK, "modes", (MINE, GAN), RESCUED, words)


@claim(
    "mode_collapse-equal",
    paper=PAPER,
    figure=TRAINING,
    rule="modes of 8 with MINE less those of the GAN above 0, at equal learning rates",
)
def prevents_at_equal_rates(rows: pd.DataFrame) -> Finding | None:
    """At equal learning rates too a generator with MINE's term has more modes."""
    words = "modes of 8: MINE {one}, GAN {two}; difference {value}, {interval}, over {seeds}"
    return gap_finding(rows, EQUAL, "modes", (MINE, GAN), 0.0, words)


@claim(
    "mode_collapse-quality",
    paper=PAPER,
    figure=TRADEOFF,
    rule="share of high quality with MINE less the GAN's at least −0.05, at each setting",
)
def costs_no_quality(rows: pd.DataFrame) -> Finding | None:
    """MINE's term costs no quality of the samples."""
    own = rows[rows["role"].isin((WEAK, EQUAL)) & rows["method"].isin((MINE, GAN))]
    found = {role: gaps(rows, role, "quality", MINE, GAN) for role in (WEAK, EQUAL)}
    checks = [
        gap_check(f"{role}, MINE − GAN", values, (-COST, math.inf))
        for role, values in found.items()
        if len(values)
    ]
    return all_hold(checks, "settings", own)


@claim(
    "mode_collapse-clipping",
    paper=PAPER,
    figure=TRADEOFF,
    rule="reverse KL without clipping less that with it above 0, where the discriminator is slow",
)
def clipping_is_needed(rows: pd.DataFrame) -> Finding | None:
    """Adaptive clipping of the term's gradient is needed."""
    words = (
        "reverse KL: not clipped {one}, clipped {two} nats; difference {value}, {interval},"
        " over {seeds}"
    )
    return gap_finding(rows, WEAK, "kl", (UNCLIPPED, MINE), 0.0, words)


@claim(
    "mode_collapse-code",
    paper=PAPER,
    figure=TRAINING,
    rule="I(G; c) with MINE less the GAN's at least 1 nat by KSG and above 0 by T,"
    " where the discriminator is slow",
)
def uses_its_code(rows: pd.DataFrame) -> Finding | None:
    """With MINE's term the generator uses its code."""
    own = rows[(rows["role"] == WEAK) & rows["method"].isin((MINE, GAN))]
    by_t = own.assign(nats=own["nats"].where(own["status"] == "ok", 0.0))
    asked = (("KSG", own, "ksg", (1.0, math.inf)), ("T", by_t, "nats", more_than(0.0)))
    checks = [
        gap_check(f"nats by {label}", values, bounds)
        for label, of, name, bounds in asked
        if len(values := gaps(of, WEAK, name, MINE, GAN))
    ]
    return all_hold(checks, "estimators", own)


@claim(
    "mode_collapse-coverage",
    paper=PAPER,
    figure=SHAPES,
    rule="share of modes with MINE less the GAN's above 0 on the spiral and on both grids; no"
    " verdict on a mixture where the better arm's quality is below twice a uniform cloud's",
)
def covers(rows: pd.DataFrame) -> Finding | None:
    """On the spiral and on 25 Gaussians the generator covers more with MINE's term."""
    own = rows[~rows["role"].isin((WEAK, EQUAL)) & rows["method"].isin((MINE, GAN))]
    checks = [coverage_check(own[own["role"] == role]) for role in dict.fromkeys(own["role"])]
    return all_hold([one for one in checks if one], "mixtures", own)


def coverage_check(rows: pd.DataFrame) -> Check | None:
    """Of one mixture; its interval is the whole line where no arm has the quality."""
    role, shape = str(rows["role"].iloc[0]), rows["shape"].iloc[0]
    values = gaps(rows, role, "modes", MINE, GAN) / shape.modes
    if not len(values):
        return None
    found = gap_check(f"{role}, MINE − GAN", values, more_than(0.0))
    best = float(rows.groupby("method")["quality"].mean().max())
    cloud = null_quality(shape, int(rows["n_test"].max())).quality
    if best >= TWICE * cloud:
        return found
    words = f"{role}: quality {best:.2f} at best, a uniform cloud's {cloud:.2f}: no verdict"
    whole = (-math.inf, math.inf)
    return Check(found.label, found.value, whole, found.bounds, found.seeds, words, (math.inf,))


@claim(
    "mode_collapse-penalty",
    paper="a question of users of public code",
    figure=SAMPLES,
    rule="modes of 8 with the penalty less those of the GAN at least 4, where the discriminator"
    " is slow",
)
def penalty_suffices(rows: pd.DataFrame) -> Finding | None:
    """A zero-centred gradient penalty alone prevents mode collapse."""
    words = "modes of 8: penalty {one}, GAN {two}; difference {value}, {interval}, over {seeds}"
    return gap_finding(rows, WEAK, "modes", (PENALTY, GAN), RESCUED, words)


claims = [
    prevents,
    prevents_at_equal_rates,
    costs_no_quality,
    clipping_is_needed,
    uses_its_code,
    covers,
    penalty_suffices,
]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Samples over training, measures over training, quality against KL, the other mixtures."""
    rows = table(rows)
    ring = rows[rows["role"].isin((WEAK, EQUAL))]
    others = rows[~rows["role"].isin((WEAK, EQUAL))]
    found = {}
    if len(weak := rows[rows["role"] == WEAK]):
        found[SAMPLES] = draw_samples(weak)
    if len(ring):
        found |= {TRAINING: draw_training(ring), TRADEOFF: draw_tradeoff(ring)}
    if len(others):
        found[SHAPES] = draw_shapes(others)
    return found
