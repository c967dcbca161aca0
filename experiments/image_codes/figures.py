"""Figures of the bottleneck: test errors beside the paper's, and the information plane."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from experiments.image_codes.arms import (
    ADDITIVE,
    LABELS,
    LOOKS,
    NOISE,
    PRINTED,
    chosen,
    said,
)
from experiments.suite.claims.checks import number_of
from experiments.suite.claims.intervals import pooled_mean
from experiments.suite.figures.axes import DASHES, ticks_at
from experiments.suite.figures.labels import compact, spread
from experiments.suite.figures.notes import seed_note, titled_figure
from experiments.suite.figures.palette import GRID, TRUTH

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def data_words(rows: pd.DataFrame) -> str:
    names = {"digits": "scikit-learn's digits", "mnist": "MNIST"}
    data = str(rows["data"].iloc[0])
    ok = rows[rows["status"] == "ok"]
    if not len(ok):
        return names.get(data, data)
    counts = [spread(ok[name]) for name in ("n_train", "n_test")]
    return f"{names.get(data, data)}, {counts[0]} training and {counts[1]} test images"


def draw_errors(rows: pd.DataFrame) -> Figure:
    """Test error of each arm at its chosen beta. Cells lost at other betas are not its own."""
    own = [place for arm in LOOKS for place in chosen(rows, arm).index]
    rows = rows[rows.index.isin(own) | (rows["status"] == "failed")]
    with titled_figure(
        8.6,
        3.7,
        title=f"Information bottleneck: test error, {data_words(rows)}",
        caption="Test error by arm, beside the errors that the paper prints for MNIST.",
        rows=rows,
        notes=[
            f"{seed_note(rows, faint='faint marks')}. β was chosen on validation images.",
            (
                "Right: the ICML version's numbers as recalled, of 60,000 MNIST images and layers"
                " of 1,024 units."
            ),
        ],
    ) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1.9, 1.0), sharey=True)
        plot_errors(rows, left)
        plot_printed(left.get_ylim(), right)
    return figure


def plot_errors(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Mean test error in percent of each arm at its chosen beta, with interval and seeds."""
    texts = []
    for place, (arm, look) in enumerate(LOOKS.items()):
        own = chosen(rows, arm)
        texts.append(said(own) if len(own) else LABELS[arm])
        values = 100.0 * own.loc[own["status"] == "ok", "test_error"].to_numpy(float)
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        mean, interval = number_of([values], pooled_mean)
        colour, marker = look["color"], look["marker"]
        ax.scatter(
            values, [place] * len(values), s=12, color=colour, marker=marker, alpha=0.35, lw=0
        )
        bars = np.array([[mean - interval[0]], [interval[1] - mean]])
        ax.errorbar([mean], [place], xerr=bars, ms=5, color=colour, marker=marker)
        ax.annotate(
            f"{mean:.2f}",
            (max(values.max(), interval[1]), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    ticks_at(ax.yaxis, range(len(texts)), texts)
    ax.set_ylim(len(texts) - 0.5, -0.5)
    low, high = ax.get_xlim()
    ax.set_xlim(low, high + 0.12 * (high - low))
    ax.set_xlabel("test error, %")
    return ax


def plot_printed(limits: tuple[float, float], ax: Axes) -> Axes:
    """The paper's test errors in percent."""
    for place, (arm, look) in enumerate(LOOKS.items()):
        if arm in PRINTED:
            value = PRINTED[arm]
            ax.plot([value], [place], color=look["color"], marker=look["marker"], mfc="none", ms=5)
            ax.annotate(
                f"{value:.2f}",
                (value, place),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
            )
    ax.set_ylim(limits)
    ax.set_xlim(0.95, 1.5)
    ax.set_xlabel("paper: test error on MNIST, %")
    return ax


def draw_plane(rows: pd.DataFrame) -> Figure:
    ok = rows[rows["status"] == "ok"]
    ok = ok.assign(arm=ok["arm"].replace(NOISE, ADDITIVE))  # a path from beta 0 on
    n_test = int(ok["n_test"].max()) if len(ok) else 0
    with titled_figure(
        8.6,
        4.4,
        title=f"Information plane: {data_words(rows)}",
        caption="I(Z;Y) against I(X;Z), exact and by MINE's own value, as β grows.",
        rows=rows,
        notes=[
            (
                f"{seed_note(rows, bars=False)}, on test images; a small mark is at the least β, a"
                " large one at the greatest (MINE, additive at β = 0: the noise alone)."
            ),
            (
                "Exact: from the encoder's density, which the Gaussian codes alone have; it cannot"
                " pass ln n (dashed), and a faint line"
                "\nleads to a value that is above I(X;Z) on average. I(Z;Y) is at least ln 10 less"
                " the cross-entropy."
            ),
        ],
    ) as figure:
        axes = figure.subplots(1, 2, sharey=True)
        names = {"exact": "exact I(X;Z), nats", "nats": "MINE's own value of I(X;Z), nats"}
        top = 1.25 * math.log(max(2, n_test))
        for ax, (column, text) in zip(axes, names.items(), strict=True):
            ax.set_xlim(-0.14 * top, top)
            if column == "exact":
                plot_doubt(ok, ax)
            ax.axvline(math.log(max(1, n_test)), color=TRUTH, ls=DASHES, lw=1.0, zorder=1)
            ax.axvline(0.0, color=GRID, lw=0.8, zorder=0)
            plot_plane(ok, column, ax)
            ax.set_xlabel(text)
        axes[0].set_ylabel("I(Z;Y) at least, nats")
    return figure


def plot_doubt(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Faint lines from the exact value to the one that is above I(X;Z), or to the axis' end."""
    high = ax.get_xlim()[1]
    means = rows.groupby(["arm", "beta"])[["exact", "exact_upper", "test_nats"]].mean().dropna()
    for (arm, _), (lower, upper, nats) in zip(means.index, means.to_numpy(float), strict=True):
        y = math.log(10.0) - nats
        ax.plot([lower, min(upper, high)], [y, y], color=LOOKS[arm]["color"], lw=2.5, alpha=0.25)
    return ax


def plot_plane(rows: pd.DataFrame, column: str, ax: Axes) -> Axes:
    """Each arm's means over seeds: a path through its betas. Marks at the edge lie outside."""
    low, high = ax.get_xlim()
    for arm, look in LOOKS.items():
        own = rows[(rows["arm"] == arm) & np.isfinite(rows[column])]
        if not len(own):
            continue
        means = own.groupby("beta")[[column, "test_nats"]].mean()
        x = means[column].to_numpy(float)
        y = math.log(10.0) - means["test_nats"].to_numpy(float)
        shown = np.clip(x, low, high)
        ax.plot(shown, y, color=look["color"], lw=0.9, alpha=0.7, zorder=3)
        sizes = np.linspace(14, 46, len(x)) if len(x) > 1 else [30]
        inside = (x >= low) & (x <= high)
        for at, height, size, fits, value in zip(shown, y, sizes, inside, x, strict=True):
            mark = look["marker"] if fits else ("<" if value < low else ">")
            ax.scatter([at], [height], s=size, color=look["color"], marker=mark, zorder=4)
            if not fits:
                ax.annotate(
                    compact(value),
                    (at, height),
                    xytext=(6 if value < low else -6, 5),
                    textcoords="offset points",
                    ha="left" if value < low else "right",
                    fontsize=6.5,
                )
        ax.plot([], [], color=look["color"], marker=look["marker"], label=look["label"])
    return ax
