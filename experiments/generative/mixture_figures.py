"""Figures of generators on mixtures in the plane, from rows with the columns of `table`.

`modes`, `touched`, `quality`, `kl` and `shape` are columns; `path` and `points` are read from the
column `measures`. Next to the arms stand the data (the truth: black, dashed) and the null line: a
uniform cloud, dotted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.generative.shapes import Points, Quality, Shape, null_quality, quality_of
from experiments.suite.claims.measures import measured
from experiments.suite.claims.wording import counted
from experiments.suite.figures.axes import DASHES
from experiments.suite.figures.labels import signed
from experiments.suite.figures.notes import head, titled_figure
from experiments.suite.figures.palette import GRID, INK, TRUTH
from experiments.suite.figures.style import new_figure, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS: Mapping[str, Mapping[str, Any]] = {
    "gan": {"color": "#d55e00", "marker": "^", "label": "GAN"},
    "mine": {"color": "#0072b2", "marker": "o", "label": "GAN + MINE"},
    "mine(clip=0)": {"color": "#56b4e9", "marker": "s", "label": "MINE, not clipped"},
    "penalty": {"color": "#009e73", "marker": "D", "label": "gradient penalty"},
}
"""The arms that figures compare, in their order."""
PATH = {"gan": 0.0, "mine(beta=0.1)": 0.1, "mine(beta=0.3)": 0.3, "mine": 1.0}
"""The arms on the path over beta, with their beta."""
SETTINGS = {"weak": "discriminator ten times as slow", "equal": "equal learning rates"}
DATA, CLOUD = "data", "uniform cloud"
DOTS: Any = (0, (1, 1.6))
SHOWN = 300
"""Points of the data and of the cloud in a panel."""
NOTES = (
    (
        "Below: modes, and the share of samples of high quality (within 3σ of a mode). A mode"
        " counts with a fifth of its"
    ),
    (
        "fair part of such samples; in brackets with one, as is usual. The cloud knows nothing of"
        " the data."
    ),
)


# Points


def plot_points(ax: Axes, points: Points, shape: Shape, colour: str) -> Axes:
    """Points (n, 2) as dots, on axes of the mixture's extent without ticks.

    All dots are one path: an SVG with an element a dot would be large.
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    half = 1.25 * float(np.abs(shape.anchors).max())
    inside = points[(np.abs(points) < half).all(1)]
    ends = np.stack([inside, inside + 1e-3 * half], 1).reshape(-1, 2)
    if len(inside):
        path = Path(ends, np.tile([Path.MOVETO, Path.LINETO], len(inside)))
        path.should_simplify = False
        ax.add_patch(PathPatch(path, fc="none", ec=colour, lw=1.5, capstyle="round"))
    ax.set(xlim=(-half, half), ylim=(-half, half), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(True)
    ax.spines[:].set_color(GRID)
    return ax


def scored(ax: Axes, name: str, found: Quality, shape: Shape) -> None:
    """The panel's name with its modes and quality below."""
    noun = "pieces" if shape.kind == "spiral" else "modes"
    count = f"{found.modes} ({found.touched}) of {shape.modes} {noun}"
    text = f"{count}, {100 * found.quality:.0f} %"
    ax.set_title(name)
    ax.set_xlabel(text, fontsize=7.5)


def reference_panels(axes: Iterable[Axes], shape: Shape) -> None:
    """The data and the uniform cloud, with their measures."""
    rng = np.random.default_rng(0)
    drawn = {DATA: shape.sample(2500, rng), CLOUD: shape.uniform_cloud(2500, rng)}
    found = {DATA: quality_of(drawn[DATA], shape), CLOUD: null_quality(shape, 2500)}
    for ax, (name, points) in zip(axes, drawn.items(), strict=True):
        plot_points(ax, points[:SHOWN], shape, TRUTH if name == DATA else INK)
        scored(ax, name, found[name], shape)


@dataclass(frozen=True)
class Trained:
    """What a row keeps of its generator.

    Attributes:
        arm: the row's method.
        shape: the mixture.
        path: step -> modes, touched, quality and KL then.
        points: step -> some samples.
    """

    arm: str
    shape: Shape
    path: Mapping[str, Sequence[float]]
    points: Mapping[str, Sequence[Sequence[float]]]

    def panel(self, ax: Axes, step: str) -> None:
        """Its points after some steps, with its measures then."""
        points = np.array(self.points[step], dtype=float).reshape(-1, 2)
        plot_points(ax, points, self.shape, LOOKS[self.arm]["color"])
        modes, touched, quality, kl = self.path[step]
        found = Quality(int(modes), int(touched), quality, kl)
        scored(ax, LOOKS[self.arm]["label"], found, self.shape)


def of_first_seed(rows: pd.DataFrame) -> dict[str, Trained]:
    """Arm -> what its row of the least seed keeps, in the order of `LOOKS`; not of lost cells."""
    own = rows[(rows["status"] == "ok") & (rows["seed"] == rows["seed"].min())]
    kept = zip(
        own["method"], own["shape"], measured(own, "path"), measured(own, "points"), strict=True
    )
    found = {arm: Trained(arm, shape, path, at) for arm, shape, path, at in kept if path and at}
    return {arm: found[arm] for arm in LOOKS if arm in found}


def draw_samples(rows: pd.DataFrame) -> Figure:
    """Samples over training: a row of panels a moment, a column an arm, beside the data."""
    arms = of_first_seed(rows)
    shape = rows["shape"].iloc[0]
    steps = sorted({step for one in arms.values() for step in one.points}, key=int)
    height = max(len(steps), 2)
    with style():
        figure = new_figure(2.0 * (1 + max(len(arms), 1)), 2.2 * height + 0.7)
        axes = figure.subplots(height, 1 + len(arms), squeeze=False)
        reference_panels(axes[:2, 0], shape)
        for ax in (*axes[2:, 0], *axes[len(steps) :, 1:].flat):
            ax.set_axis_off()
        for line, step in zip(axes[:, 1:], steps, strict=False):
            for ax, one in zip(line, arms.values(), strict=True):
                one.panel(ax, step)
                ax.set_title(f"{LOOKS[one.arm]['label']}, {int(step):,} steps")
        head(
            figure,
            f"Samples of generators on {mixture_name(shape)}: {SETTINGS['weak']}",
            [f"Seed {int(rows['seed'].min())}, the first.", *NOTES],
            "Samples over training by arm, beside the data and a uniform cloud.",
        )
    return figure


def mixture_name(shape: Shape) -> str:
    """'a ring of 8', 'a grid of 25, σ = .1', 'a spiral'."""
    if shape.kind == "spiral":
        return "a spiral"
    return f"a {shape.kind} of {shape.modes}, σ = {signed(shape.sigma)}"


def draw_shapes(rows: pd.DataFrame) -> Figure:
    """The other mixtures: data, uniform cloud, and the arms at the end; a row a mixture."""
    roles = list(dict.fromkeys(rows["role"]))
    arms = [arm for arm in LOOKS if arm in set(rows["method"])]
    with style():
        figure = new_figure(2.1 * (2 + len(arms)), 2.3 * len(roles) + 0.7)
        axes = figure.subplots(len(roles), 2 + len(arms), squeeze=False)
        for line, role in zip(axes, roles, strict=True):
            own = rows[rows["role"] == role]
            found = of_first_seed(own)
            reference_panels(line[:2], own["shape"].iloc[0])
            line[0].set_ylabel(mixture_name(own["shape"].iloc[0]))
            for ax, arm in zip(line[2:], arms, strict=True):
                if arm in found:
                    found[arm].panel(ax, max(found[arm].points, key=int))
                else:
                    ax.set_axis_off()
        head(
            figure,
            "Samples on the spiral and on grids of 25, at the end of the training",
            [f"Seed {int(rows['seed'].min())}, the first.", *NOTES],
            "Spiral and grids: the data, a uniform cloud, and the arms' samples.",
        )
    return figure


# Measures


def draw_training(rows: pd.DataFrame) -> Figure:
    """Modes and quality over training, with the data's and the uniform cloud's."""
    roles = [role for role in SETTINGS if role in set(rows["role"])]
    shape = rows["shape"].iloc[0]
    cloud = null_quality(shape, 2500)
    with titled_figure(
        4.6 * len(roles) + 0.4,
        5.0,
        title=f"Modes and quality over training, {mixture_name(shape)}",
        caption="Modes and share of high quality over training, beside data and uniform cloud.",
        rows=rows,
        notes=[
            (
                "A mode counts with a fifth of its fair part of samples of high quality, which are"
                f" within 3σ of a mode. With one sample the cloud has {cloud.touched} of"
                f" {shape.modes}."
            ),
            f"Lines: mean of {seeds_of(rows)}; bands from least to greatest.",
        ],
    ) as figure:
        axes = figure.subplots(2, len(roles), squeeze=False, sharex="col", sharey="row")
        for column, role in zip(axes.T, roles, strict=True):
            own = rows[(rows["role"] == role) & (rows["status"] == "ok")]
            plot_path(own, column[0], 0, shape.modes, cloud.modes)
            plot_path(own, column[1], 2, 1 - np.exp(-4.5), cloud.quality)
            column[0].set_title(SETTINGS[role])
            column[1].set_xlabel("steps")
        axes[0, 0].set_ylabel(f"modes of {shape.modes}")
        axes[1, 0].set_ylabel("share of high quality")
        axes[0, 0].set_ylim(-0.04 * shape.modes, 1.08 * shape.modes)
        axes[1, 0].set_ylim(-0.04, 1.08)
    return figure


def plot_path(rows: pd.DataFrame, ax: Axes, at: int, data: float, cloud: float) -> Axes:
    """One of the four measures of `path` over the steps: a line and a band an arm."""
    for i, (arm, look) in enumerate(LOOKS.items()):
        paths = [one for one in measured(rows[rows["method"] == arm], "path") if one]
        if not paths:
            continue
        steps = sorted(set.intersection(*(set(one) for one in paths)), key=int)
        values = np.array([[one[step][at] for step in steps] for one in paths], dtype=float)
        x = [int(step) for step in steps]
        colour = look["color"]
        ax.fill_between(x, values.min(0), values.max(0), color=colour, alpha=0.15, lw=0, zorder=2)
        style: Any = {"marker": look["marker"], "ms": 3.0, "lw": 1.2, "zorder": 5 - i / 10}
        ax.plot(x, values.mean(0), color=colour, label=look["label"], **style)
    ax.axhline(data, color=TRUTH, ls=DASHES, lw=1.1, zorder=10, label=DATA)
    ax.axhline(cloud, color=INK, ls=DOTS, lw=1.1, zorder=9, label=CLOUD)
    return ax


def draw_tradeoff(rows: pd.DataFrame) -> Figure:
    """Quality against reverse KL: a path over beta, and the other arms as points."""
    roles = [role for role in SETTINGS if role in set(rows["role"])]
    shape = rows["shape"].iloc[0]
    with titled_figure(
        4.6 * len(roles) + 0.4,
        3.9,
        title=f"Quality against evenness of the modes, {mixture_name(shape)}",
        caption="Share of high quality against reverse KL, as paths over beta.",
        rows=rows,
        notes=[
            (
                "The line joins β = 0 (GAN), .1, .3 and 1 (MINE, clipped). Large marks: mean of"
                f" {seeds_of(rows)}; faint ones: single seeds."
            ),
            (
                "Reverse KL is over samples of high quality alone: a cloud with few of them looks"
                " even."
            ),
        ],
    ) as figure:
        axes = figure.subplots(1, len(roles), squeeze=False, sharey=True)[0]
        for ax, role in zip(axes, roles, strict=True):
            plot_tradeoff(rows[(rows["role"] == role) & (rows["status"] == "ok")], ax, shape)
            ax.set_title(SETTINGS[role])
        axes[0].set_ylabel("share of high quality")
    return figure


LEAST_KL = 5e-4
"""Where the axis of the reverse KL ends on the left, in nats."""


def plot_tradeoff(rows: pd.DataFrame, ax: Axes, shape: Shape) -> Axes:
    """One setting's arms: quality against reverse KL on a log axis."""
    from experiments.suite.figures.axes import plain_log_ticks

    shown = rows.assign(kl=rows["kl"].clip(lower=LEAST_KL))
    means = shown.groupby("method")[["kl", "quality"]].mean()
    path = [arm for arm in PATH if arm in means.index]
    blue = LOOKS["mine"]["color"]
    ax.plot(means.loc[path, "kl"], means.loc[path, "quality"], color=blue, lw=1.0, zorder=3)
    for arm, group in shown.groupby("method"):
        look = LOOKS.get(str(arm), {"color": blue, "marker": "o"})
        ax.scatter(group["kl"], group["quality"], s=8, alpha=0.35, lw=0, **unlabelled(look))
        ax.plot(*means.loc[arm], ms=6, ls="none", zorder=5, mec="white", mew=0.6, **look)
        if arm in PATH:
            ax.annotate(
                f"β = {signed(PATH[str(arm)])}", tuple(means.loc[arm]), xytext=(6, 5),
                textcoords="offset points", fontsize=7.5, zorder=6,
            )  # fmt: skip
    cloud, data = null_quality(shape, 2500), quality_of(shape.sample(2500, data_rng()), shape)
    ends: Any = {"ls": "none", "ms": 7, "zorder": 6}
    ax.plot([data.kl], [data.quality], marker="*", color=TRUTH, label=DATA, **ends)
    ax.plot([cloud.kl], [cloud.quality], marker="x", color=INK, label=CLOUD, **ends)
    ax.set(xscale="log", xlim=(LEAST_KL, 4.0), ylim=(-0.05, 1.08), xlabel="reverse KL, nats")
    plain_log_ticks(ax.xaxis)
    return ax


def seeds_of(rows: pd.DataFrame) -> str:
    return counted(rows["seed"].nunique(), "seed")


def data_rng() -> np.random.Generator:
    return np.random.default_rng(0)


def unlabelled(look: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in look.items() if name != "label"}
