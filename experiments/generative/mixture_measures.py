"""Figures of modes, quality and reverse KL, from rows with the columns of `table`.

`quality`, `kl` and `shape` are columns; `path` is read from the column `measures`. The data are
the truth, black and dashed; the null line, a uniform cloud, is dotted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.generative.mixture_looks import CLOUD, DATA, LOOKS, SETTINGS, mixture_name
from experiments.generative.shapes import Shape, null_quality, quality_of
from experiments.suite.claims.measures import measured
from experiments.suite.figures.axes import DASHES, plain_log_ticks
from experiments.suite.figures.labels import signed
from experiments.suite.figures.notes import curve_note, seed_note, titled_figure
from experiments.suite.figures.palette import INK, TRUTH

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PATH = {"gan": 0.0, "mine(beta=0.1)": 0.1, "mine(beta=0.3)": 0.3, "mine": 1.0}
"""The arms on the path over beta, with their beta."""
LEAST_MARK, MARK_STEP = 4.5, 2.5
"""Sizes of the marks on the path, in points: the least beta above 0, and what each next one adds.

So marks that stand on each other are seen as rings.
"""
DOTS: Any = (0, (1, 1.6))


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
            curve_note(rows),
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
                "The line joins β = 0 (GAN), .1, .3 and 1 (GAN + MINE); its circles grow with β."
                f" {seed_note(rows, bars=False, faint='faint marks')}."
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
    shown = rows.assign(kl=rows["kl"].clip(lower=LEAST_KL))
    means = shown.groupby("method")[["kl", "quality"]].mean()
    path = [arm for arm in PATH if arm in means.index]
    blue = LOOKS["mine"]["color"]
    ax.plot(means.loc[path, "kl"], means.loc[path, "quality"], color=blue, lw=1.0, zorder=3)
    marks: Any = {"ls": "none", "mec": "white", "mew": 0.8}
    for arm, group in shown.groupby("method"):
        look = look_of(str(arm))
        ax.scatter(group["kl"], group["quality"], s=8, alpha=0.35, lw=0, **unlabelled(look))
        size = mark_size(str(arm))
        ax.plot(*means.loc[arm], ms=size, zorder=5 - size / 100, **marks, **look)
    cloud, data = null_quality(shape, 2500), quality_of(shape.sample(2500, data_rng()), shape)
    ends: Any = {"ls": "none", "ms": 7, "zorder": 6}
    ax.plot([data.kl], [data.quality], marker="*", color=TRUTH, label=DATA, **ends)
    ax.plot([cloud.kl], [cloud.quality], marker="x", color=INK, label=CLOUD, **ends)
    ax.set(xscale="log", xlim=(LEAST_KL, 4.0), ylim=(-0.05, 1.08), xlabel="reverse KL, nats")
    plain_log_ticks(ax.xaxis)
    return ax


def mark_size(arm: str) -> float:
    """It grows with beta on the path; the other arms have the size of one in its middle."""
    betas = sorted(beta for beta in PATH.values() if beta > 0)
    beta = PATH.get(arm, 0.0)
    return LEAST_MARK + MARK_STEP * (betas.index(beta) if beta > 0 else 1)


def look_of(arm: str) -> Mapping[str, Any]:
    """An arm's own look; on the path that of MINE, with beta in the label: 'β = .1'."""
    if arm in LOOKS:
        return LOOKS[arm]
    return {**LOOKS["mine"], "label": f"β = {signed(PATH[arm])}" if arm in PATH else arm}


def data_rng() -> np.random.Generator:
    return np.random.default_rng(0)


def unlabelled(look: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in look.items() if name != "label"}
