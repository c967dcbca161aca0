"""Figures of samples in the plane, from rows with the columns of `table`.

The column `shape` is the mixture; `path` and `points` are read from the column `measures`. Beside
the arms stand the data (black, as the truth) and the null line, a uniform cloud.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.generative.mixture_looks import CLOUD, DATA, LOOKS, SETTINGS, mixture_name
from experiments.generative.shapes import Points, Quality, Shape, null_quality, quality_of
from experiments.suite.claims.measures import measured
from experiments.suite.figures.notes import head
from experiments.suite.figures.palette import GRID, INK, TRUTH
from experiments.suite.figures.style import new_figure, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
        figure = new_figure(2.0 * (1 + max(len(arms), 1)), 2.35 * height + 1.0)
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


def draw_shapes(rows: pd.DataFrame) -> Figure:
    """The other mixtures: data, uniform cloud, and the arms at the end; a row a mixture."""
    roles = list(dict.fromkeys(rows["role"]))
    arms = [arm for arm in LOOKS if arm in set(rows["method"])]
    with style():
        figure = new_figure(2.1 * (2 + len(arms)), 2.45 * len(roles) + 1.0)
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
