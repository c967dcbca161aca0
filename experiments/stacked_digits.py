r"""Sec. 5.1: modes of stacked digits, with and without a mutual information.

Three digits in the channels of one image make 1,000 modes, which a classifier names. A plain GAN
misses many; the paper's generator maximises I(G([eps, c]); c) besides, with adaptive clipping and
beta 1. Both arms have the rates, betas and batch of DCGAN and PacGAN's code, equal starts, data
and noise.

A count of modes alone says little: a classifier must name a mode of noise, too. So beside each
measure of all images stands that of the sure ones, whose three digits all have a probability above
.9, and beside the arms stand two null lines, real images and images of uniform noise. See
`experiments.generative.digit_modes`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from experiments.images.pictures import of_text, show
from experiments.suite.claims.checks import (
    Check,
    Finding,
    all_hold,
    less_than,
    mean_between,
    measure,
    more_than,
)
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Interval, pooled_mean
from experiments.suite.claims.measures import by_seed, measured, with_measures
from experiments.suite.claims.rows import shared_seeds
from experiments.suite.claims.wording import number
from experiments.suite.figures.axes import even_axis
from experiments.suite.figures.labels import data_name
from experiments.suite.figures.notes import seed_note, titled_figure
from experiments.suite.figures.series import method_series
from experiments.suite.grid.cells import Cell, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "Sec. 5.1, stacked MNIST"
FIGURE = "stacked_digits"
GAN, MINE, DATA, NOISE = "gan", "mine", "digits", "uniform"
NAMES = {DATA: "data", GAN: "GAN", MINE: "GAN + MINE", NOISE: "uniform noise"}
"""The arms and null lines in the order of the figure."""
MODES = 1000
MEASURES = ("modes", "kl", "sure", "sure_modes", "sure_kl", "accuracy")
WORST = {"modes": 0.0, "sure_modes": 0.0, "sure": 0.0, "kl": math.log(MODES),
         "sure_kl": math.log(MODES)}  # fmt: skip
"""What a cell counts that diverged: all of its images in one mode, and none sure."""
NOISE_MODES = 500
"""A null line with more modes than this shows that a count of modes is no measure of diversity."""
NO_MEASURES = "this run has no samples of it"


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Arms and null lines x seeds."""
    experiment = config["experiment"]
    cut = experiment["cut"]
    if int(experiment["images"]) < MODES:
        raise ValueError(
            f"experiment.images must be at least the {MODES} modes, got {experiment['images']}: "
            "score more images"
        )
    common = {
        "data": config["data"]["name"],
        "classifier_steps": int(cut["classifier_steps"]),
    }
    gan = {"_target_": "experiments.generative.stacked_gan.StackedDigits"} | common
    null = {"_target_": "experiments.generative.stacked_references.StackedReference"} | common
    settings = {
        "train": dict(experiment["train"]),
        "scale": {"n_test": int(experiment["images"])},
    }
    return [
        *panel_cells(
            "samples",
            [gan | dict(cut["model"])],
            config,
            settings | {"critic": dict(cut["critic"])},
        ),
        *panel_cells("references", [null], config, settings),
    ]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with their measures and their data set as columns."""
    return with_measures(rows, MEASURES)


def values_of(rows: pd.DataFrame, method: str, name: str) -> pd.Series:
    """A measure of one arm by seed. A cell that diverged, or has no measure, has the worst one."""
    return by_seed(rows[rows["method"] == method], name, WORST[name])


def gain_check(rows: pd.DataFrame, name: str, of: str, bounds: Interval) -> list[Check]:
    """That MINE's samples' mean gain over the plain GAN's, a seed at a time, is within bounds.

    None where nothing was measured.
    """
    sides = [values_of(rows, method, name) for method in (MINE, GAN)]
    mine, plain = shared_seeds(*sides)
    if not len(mine):
        return []
    means = [number(float(side.mean())) for side in sides]
    words = f"{of}: {means[0]} against {means[1]}, difference {{value}}, {{interval}}"
    return [mean_between(of, mine - plain, bounds, words, signed=True)]


# Claims. Measures and tolerances were written down before any run with the seeds reported.


BOTH = "{held} of {checks} hold, over {seeds}; decided by {deciding}"


@claim(
    "stacked_digits-modes",
    paper=PAPER,
    figure=FIGURE,
    rule="captured modes of GAN + MINE less the GAN's, paired by seed: above 0, of all images and"
    " of sure ones",
    missing=NO_MEASURES,
)
def more_modes(rows: pd.DataFrame) -> Finding | None:
    """With MINE a GAN captures more modes."""
    checks = gain_check(rows, "modes", "modes of all images", more_than(0.0))
    checks += gain_check(rows, "sure_modes", "modes of sure images", more_than(0.0))
    return all_hold(checks, "measures", rows, BOTH)


@claim(
    "stacked_digits-kl",
    paper=PAPER,
    figure=FIGURE,
    rule="KL of GAN + MINE less the GAN's, paired by seed: below 0, of all images and of sure"
    " ones",
    missing=NO_MEASURES,
)
def lower_kl(rows: pd.DataFrame) -> Finding | None:
    """With MINE the modes are more equally frequent."""
    checks = gain_check(rows, "kl", "KL of all images", less_than(0.0))
    checks += gain_check(rows, "sure_kl", "KL of sure images", less_than(0.0))
    return all_hold(checks, "measures", rows, BOTH)


@claim(
    "stacked_digits-all",
    paper=f"{PAPER} (1000.0 modes, KL .05; as recalled)",
    figure=FIGURE,
    rule="of all images, modes of GAN + MINE at least 990, and KL at most 0.1 nats (0.144 bits)",
    missing=NO_MEASURES,
)
def all_modes(rows: pd.DataFrame) -> Finding | None:
    """With MINE a GAN captures all modes, about equally."""
    checks = []
    for name, of, bounds in (
        ("modes", "modes", (990.0, math.inf)),
        ("kl", "KL", (-math.inf, 0.1)),
    ):
        values = values_of(rows, MINE, name).to_numpy(float)
        if len(values):
            checks.append(mean_between(of, values, bounds, f"{of} {{value}}, {{interval}}"))
    return all_hold(checks, "measures", rows[rows["method"] == MINE], BOTH)


@claim(
    "stacked_digits-quality",
    paper="this suite",
    figure=FIGURE,
    rule="share of sure images of GAN + MINE less the GAN's, paired by seed: at least −0.05",
    missing=NO_MEASURES,
)
def keeps_quality(rows: pd.DataFrame) -> Finding | None:
    """MINE costs no sample quality."""
    checks = gain_check(rows, "sure", "sure images", (-0.05, math.inf))
    return all_hold(checks, "measures", rows, "{deciding}, over {seeds}")


@claim(
    "stacked_digits-count",
    paper="this suite",
    figure=FIGURE,
    rule=f"of images of uniform noise, fewer than {NOISE_MODES} modes",
    missing=NO_MEASURES,
)
def noise_has_few(rows: pd.DataFrame) -> Finding | None:
    """A count of modes shows diversity: noise has few."""
    values = values_of(rows, NOISE, "modes").to_numpy(float)
    words = "images of uniform noise have {value} modes, {interval}, over {seeds}"
    return measure(
        [values], pooled_mean, less_than(NOISE_MODES), words, rows[rows["method"] == NOISE],
        unit=False, signed=False,
    )  # fmt: skip


claims = [more_modes, lower_kl, all_modes, keeps_quality, noise_has_few]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Samples of each arm beside data and noise, with their scores."""
    return {FIGURE: draw(table(rows))}


def draw(rows: pd.DataFrame) -> Figure:
    accuracy = rows.loc[rows["status"] == "ok", "accuracy"].mean()
    known = (
        "" if math.isnan(accuracy) else f", right for {100 * accuracy:.1f} % of held-out digits"
    )
    data = data_name(str(rows["data"].iloc[0]))
    with titled_figure(
        8.6,
        4.9,
        title=f"Stacked {data}: samples, and their modes of {MODES:,}",
        caption="Samples of a GAN and of a GAN with MINE beside data and noise, with their modes.",
        rows=rows,
        notes=[
            (
                f"Modes are named by a classifier for each seed{known}. Sure: all three digits"
                " above .9. KL: of the modes' shares from equal ones."
            ),
            f"{seed_note(rows, faint='faint marks')}. Samples are of the first seed.",
        ],
    ) as figure:
        axes = figure.subplot_mosaic(
            [
                [name for name in NAMES for _ in range(3)],
                [name for name in ("modes", "kl", "sure") for _ in range(4)],
            ],
            height_ratios=(0.62, 1.2),
        )
        for method, name in NAMES.items():
            plot_samples(rows[rows["method"] == method], axes[method], name)
        plot_measure(rows, axes["modes"], ("modes", "sure_modes"), 1.05 * MODES, "modes captured")
        plot_measure(rows, axes["kl"], ("kl", "sure_kl"), 1.05 * math.log(MODES), "KL, nats")
        plot_measure(rows, axes["sure"], (None, "sure"), 1.05, "share of sure images")
    return figure


def plot_samples(rows: pd.DataFrame, ax: Axes, name: str) -> Axes:
    """The first seed's pictures of one arm, with the scores of its samples."""
    texts = measured(rows.sort_values("seed"), "pictures")
    shown = [(text, i) for i, text in enumerate(texts) if text]
    ax.set_axis_off()
    if not shown:
        ax.set_title(f"{name}\nno samples")
        return ax
    text, at = shown[0]
    row = rows.sort_values("seed").iloc[at]
    ax.set_title(
        f"{name}\n{row['modes']:.0f} modes, KL {row['kl']:.2f}\n{100 * row['sure']:.0f} % sure"
    )
    return show(ax, of_text(text), columns=4)


def plot_measure(
    rows: pd.DataFrame, ax: Axes, names: Sequence[str | None], top: float, said: str
) -> Axes:
    """A measure by arm, of all images and of sure ones.

    Args:
        rows: of all arms.
        ax: to draw on.
        names: the measure of all images, or None, and that of sure ones.
        top: of the axis.
        said: of the axis.
    """
    import pandas as pd

    places = {method: float(i) for i, method in enumerate(NAMES)}
    own = rows.assign(place=rows["method"].map(places))
    kinds = zip(("all images", "sure images"), names, strict=True)
    parts = [own.assign(nats=own[name] if name else math.nan, images=kind) for kind, name in kinds]
    found = pd.concat(parts, ignore_index=True)
    lost = (found["status"] == "ok") & found["nats"].isna()
    ax.set_ylim(-0.03 * top, top)
    method_series(
        found[~lost | (found["images"] == "all images")], ax, "place", list(places.values()),
        "nats", apart=True, by="images", joined=False,
    )  # fmt: skip
    even_axis(ax, [name.replace(" ", "\n", 1) for name in NAMES.values()])
    ax.set_ylabel(said)
    return ax
