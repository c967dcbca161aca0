r"""What must hold of an estimate whatever the truth: self-consistency on images.

Song and Ermon 2020 (https://arxiv.org/abs/1910.06222): X is an image and Y_t its first t rows.

    monotone     I(X; Y_t) is 0 at t = 0, where Y_t is constant, and does not fall as t grows
    processing   I([X, X]; [Y_t, Y_{t-k}]) / I(X; Y_t) = 1: a copy and a function of it add nothing
    additivity   I([X1, X2]; [Y1_t, Y2_t]) / I(X; Y_t) = 2: independent images

Their introduction says that all estimators considered fail some of it; that additivity fails
once t is large is as recalled. No truth is known (it is an entropy, beyond what so many images can
tell: see `experiments.images.tasks`), and none is drawn: rows have nan for it, and an estimate's
size says how long it was trained. Sides of a ratio are of one seed, and so of the same images in
training, validation and test; a value is on images that neither trained its critic nor chose it.

InfoNCE cannot give more than ln(1 + partners), ln 11 = 2.40 nats: where it is there for one image,
it passes data processing, and fails additivity, for that reason alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.images.data import SETS
from experiments.suite.claims.checks import (
    Check,
    Finding,
    Verdict,
    all_hold,
    mean_between,
    strictest,
)
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Array
from experiments.suite.claims.rows import shared_seeds
from experiments.suite.claims.wording import counted
from experiments.suite.figures.axes import DASHES, even_axis, even_grid, shade_uncertified
from experiments.suite.figures.labels import data_name, label, spread
from experiments.suite.figures.notes import seed_note, titled_figure
from experiments.suite.figures.palette import GRID, SHADE, TRUTH, order
from experiments.suite.figures.series import method_series
from experiments.suite.grid.cells import Cell, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "Song and Ermon 2020"
FIGURE = "self_consistency"
MONOTONE, PROCESSING, ADDITIVITY = "monotone", "processing", "additivity"
VIEWS = {MONOTONE: "one", PROCESSING: "same", ADDITIVITY: "two"}
RATIOS = {PROCESSING: (1.0, 0.1), ADDITIVITY: (2.0, 0.2)}
"""What a ratio must be, and its tolerance: 10 % of that."""
ZERO = 0.05
"""Nats within which an estimate counts as 0."""
FALL, FALL_SHARE = 0.1, 0.05
"""A fall of so many nats, or of this share of the value, where that is more, counts as none."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Views x rows seen x methods x seeds."""
    experiment = config["experiment"]
    side = int(config["data"]["side"])
    drop = max(1, round(float(experiment["drop"]) * side))
    seen = sorted({round(float(share) * side) for share in experiment["shares"]})
    setting = {"train": {"batch_size": int(experiment["batch_size"])}}

    def task(role: str, t: int) -> dict[str, Any]:
        fewer = {"drop": min(drop, t)} if role == PROCESSING else {}
        return {
            "_target_": "mine.images.TopRows",
            "data": config["data"]["name"],
            "rows": t,
            "view": VIEWS[role],
            **fewer,
        }

    return [
        cell
        for role in experiment["panels"]
        for cell in panel_cells(
            role, [task(role, t) for t in seen if t or role == MONOTONE], config, setting
        )
    ]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the set of images and the rows seen, t, as columns."""
    params = [json.loads(text) for text in rows["params"]]
    return rows.assign(
        data=[str(one["data"]) for one in params], t=[float(one["rows"]) for one in params]
    )


# Tests: what is judged, of one method at one t


def test_of(method: str, of: str, values: Array, low: float, high: float) -> Check:
    """The check that the mean of one value a seed, (S,), lies in [low, high].

    Its label is the method; it is decided by how far the interval reaches out of its bounds. `of`
    is what was tested, in words.
    """
    return mean_between(
        method, values, (low, high), f"{label(method)}, {of} {{value}}, {{interval}}"
    )


def estimates(rows: pd.DataFrame, role: str, method: str) -> dict[float, pd.Series]:
    """t -> estimates in nats by seed; nan where the training diverged. Failed rows are missing."""
    own = rows[(rows["role"] == role) & (rows["method"] == method) & (rows["status"] != "failed")]
    values = own["nats"].where((own["status"] == "ok") & np.isfinite(own["nats"]))
    return {
        float(str(t)): values[group.index].set_axis(group["seed"])
        for t, group in own.groupby("t", sort=True)
    }


def zero_tests(rows: pd.DataFrame, method: str) -> list[Check]:
    """The estimate at t = 0 within +-.05 nats."""
    found = estimates(rows, MONOTONE, method).get(0.0)
    if found is None:
        return []
    return [test_of(method, "t = 0:", found.fillna(math.inf).to_numpy(float), -ZERO, ZERO)]


def step_tests(rows: pd.DataFrame, method: str) -> list[Check]:
    """From each t to the next no fall: of at most .1 nats, or of 5 % where that is more.

    A side that diverged is a fall without end.
    """
    found = estimates(rows, MONOTONE, method)
    tests = []
    for (t, before), (later, after) in zip(found.items(), list(found.items())[1:], strict=False):
        low, high = shared_seeds(before, after)
        if len(low):
            known = low[np.isfinite(low)]
            fall = max(FALL, FALL_SHARE * float(known.mean()) if len(known) else 0.0)
            steps = np.nan_to_num(high - low, nan=-math.inf)
            tests.append(
                test_of(method, f"step from t = {t:g} to {later:g}", steps, -fall, math.inf)
            )
    return tests


def ratio_tests(rows: pd.DataFrame, role: str, method: str) -> list[Check]:
    """At each t the ratio to I(X; Y_t), a seed at a time, within 10 % of what it must be.

    Where a side diverged, or where I(X; Y_t) is not above 0, the ratio is infinite.
    """
    wanted, tolerance = RATIOS[role]
    base = estimates(rows, MONOTONE, method)
    tests = []
    for t, values in estimates(rows, role, method).items():
        over, under = shared_seeds(values, base[t]) if t in base else (np.empty(0), np.empty(0))
        if len(over):
            ratio = ratios(over, under)
            tests.append(
                test_of(method, f"t = {t:g}:", ratio, wanted - tolerance, wanted + tolerance)
            )
    return tests


def ratios(over: Array, under: Array) -> Array:
    """Of estimates in nats, (S,)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isfinite(over) & (under > 0), over / under, math.inf)


# Claims. Measures and tolerances were written down before any run.


def methods_of(rows: pd.DataFrame) -> list[str]:
    """The methods of the rows, in the order of the figures."""
    return order(set(rows["method"]))


@claim(
    "self_consistency-zero",
    paper=PAPER,
    figure=FIGURE,
    rule="each method's mean at t = 0 within ±0.05 nats (±0.072 bits)",
)
def zero(rows: pd.DataFrame) -> Finding | None:
    """Where no row is seen, every method finds zero."""
    return passed(rows, [one for method in methods_of(rows) for one in zero_tests(rows, method)])


@claim(
    "self_consistency-monotone",
    paper=PAPER,
    figure=FIGURE,
    rule="each method, from each t to the next: mean change at least −0.1 nats (−0.144 bits),"
    " or −5 % of the value where that is more",
)
def monotone(rows: pd.DataFrame) -> Finding | None:
    """An estimate does not fall as more rows are seen."""
    return passed(rows, [one for method in methods_of(rows) for one in step_tests(rows, method)])


@claim(
    "self_consistency-processing",
    paper=PAPER,
    figure=FIGURE,
    rule="MINE's I([X, X]; [Y_t, Y_(t−k)]) / I(X; Y_t) within 1 ± 0.1, at each t",
)
def processing(rows: pd.DataFrame) -> Finding | None:
    """Data processing: for MINE, a copy of X with a function of Y adds nothing."""
    return passed(rows, ratio_tests(rows, PROCESSING, "mine"))


@claim(
    "self_consistency-additivity",
    paper=PAPER,
    figure=FIGURE,
    rule="MINE's I([X1, X2]; [Y1, Y2]) / I(X; Y) within 2 ± 0.2, at each t",
)
def additivity(rows: pd.DataFrame) -> Finding | None:
    """Additivity: for MINE, two independent images have twice what one has."""
    return passed(rows, ratio_tests(rows, ADDITIVITY, "mine"))


def passed(rows: pd.DataFrame, tests: Sequence[Check]) -> Finding | None:
    """All of these tests hold; the words name the methods that fail one."""
    failing = dict.fromkeys(one.label for one in tests if one.verdict == "not reproduced")
    names = ", ".join(label(method) for method in failing)
    words = "{held} of {checks} {noun} hold, over {seeds}; decided by {deciding}"
    fails = f"; it fails for {names}" if names else ""
    return all_hold(tests, "tests", rows, words + fails)


@claim(
    "self_consistency-fail",
    paper=PAPER,
    figure=FIGURE,
    rule="for each method an interval wholly outside its tolerance (ratios 1 ± 0.1 and 2 ± 0.2,"
    " and the rules of zero and monotone)",
)
def someone_fails(rows: pd.DataFrame) -> Finding | None:
    """Every estimator considered fails some test of self-consistency.

    Not reproduced where one method passes all tests.
    """
    verdicts: list[Verdict] = []
    words, seeds = [], []
    for method in methods_of(rows):
        tests = {
            "zero": zero_tests(rows, method),
            "monotone": step_tests(rows, method),
            **{role: ratio_tests(rows, role, method) for role in RATIOS},
        }
        found = {name: [one.verdict for one in part] for name, part in tests.items()}
        failed = [name for name, part in found.items() if "not reproduced" in part]
        passes = all(set(part) == {"reproduced"} for part in found.values())
        verdicts.append("reproduced" if failed else "not reproduced" if passes else "inconclusive")
        doubt = "none" if passes else "none for certain"
        words.append(f"{label(method)} {' and '.join(failed) or doubt}")
        seeds += [one.seeds for part in tests.values() for one in part]
    if not seeds:
        return None
    said = f"fails: {'; '.join(words)}, over {counted(min(seeds), 'seed')}"
    return Finding(said, strictest(verdicts), rows=rows)


claims = [zero, monotone, processing, additivity, someone_fails]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Estimates against the rows seen, and the two ratios."""
    return {FIGURE: draw(table(rows))}


def draw(rows: pd.DataFrame) -> Figure:
    data = str(rows["data"].iloc[0])
    side = SETS[data].side
    with titled_figure(
        9.6,
        4.4,
        title=f"Self-consistency: {data_name(data)}, images of {side} × {side} and their first"
        " rows",
        caption="Estimates against rows seen, and the ratios that must be 1 and 2.",
        rows=rows,
        notes=[
            image_note(rows),
            (
                f"{seed_note(rows, faint='faint marks')}. Shaded beside the dashed lines:"
                " the claims' tolerance."
            ),
        ],
    ) as figure:
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.25, 1.0, 1.0))
        plot_estimates(rows[rows["role"] == MONOTONE], left)
        plot_ratios(rows, PROCESSING, middle)
        plot_ratios(rows, ADDITIVITY, right)
    return figure


def image_note(rows: pd.DataFrame) -> str:
    """How many images the networks trained and were tested on."""
    drew = rows[rows["status"] != "failed"]
    counts = [spread(drew[name]) if len(drew) else "0" for name in ("n_train", "n_test")]
    return (
        f"Trained on {counts[0]} images for at most {spread(rows['steps'])} steps, stopped"
        f" by others, tested on {counts[1]} others; no truth is known."
    )


def plot_estimates(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Estimate in nats against the rows seen."""
    values = rows.loc[rows["status"] == "ok", "nats"].to_numpy(float)
    values = values[np.isfinite(values)]
    top = 1.3 * max(1.0, float(values.max(initial=0.0)))  # with room for the words above
    ax.set_ylim(min(-0.04 * top, 1.1 * float(values.min(initial=0.0))), top)
    shade_uncertified(ax, int(rows["n_test"].max()) if len(rows) else 0)
    seen_axis(rows, ax, "nats")
    ax.axhline(0.0, color=GRID, lw=0.8, zorder=1)
    ax.set_ylabel("I(X; Yₜ), nats")
    return ax


def plot_ratios(rows: pd.DataFrame, role: str, ax: Axes) -> Axes:
    """A ratio to I(X; Y_t) against the rows seen; one that is infinite is left out."""
    wanted, tolerance = RATIOS[role]
    shown = ratio_rows(rows, role)
    most = float(shown.loc[shown["status"] == "ok", "ratio"].max()) if len(shown) else 0.0
    ax.set_ylim(0.0, float(np.clip(1.1 * np.nan_to_num(most), 1.5 * wanted, 3.0 * wanted)))
    ax.axhspan(wanted - tolerance, wanted + tolerance, color=SHADE, zorder=0, lw=0)
    seen_axis(shown, ax, "ratio")
    ax.axhline(wanted, color=TRUTH, ls=DASHES, lw=1.1, zorder=10, label="must be")
    over = {
        PROCESSING: "I([X, X]; [Yₜ, Yₜ₋ₖ]) / I(X; Yₜ)",
        ADDITIVITY: "I([X₁, X₂]; [Y₁ₜ, Y₂ₜ]) / I(X; Yₜ)",
    }
    ax.set_ylabel(over[role])
    return ax


def ratio_rows(rows: pd.DataFrame, role: str) -> pd.DataFrame:
    """The rows of a role with their `ratio`; those alone where it is finite, or that were lost."""
    base = rows[rows["role"] == MONOTONE].set_index(["method", "t", "seed"])["nats"]
    own = rows[rows["role"] == role]
    places = list(zip(own["method"], own["t"], own["seed"], strict=True))
    under = np.array([base.get(place, math.nan) for place in places], dtype=float)
    found = own.assign(ratio=ratios(own["nats"].to_numpy(float), under))
    return found[np.isfinite(found["ratio"]) | (found["status"] != "ok")]


def seen_axis(rows: pd.DataFrame, ax: Axes, value: str) -> None:
    """Each method's values against t."""
    places = sorted(set(rows["t"]))
    method_series(rows, ax, "t", places, value, apart=True)
    even_axis(ax, [f"{t:g}" for t in places])
    even_grid(ax, len(places))
    ax.set_xlabel("rows seen, t")
