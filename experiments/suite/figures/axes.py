"""What the axes of all figures share: the truth, limits, ticks, a scale in bits.

The truth is always the black dashed line. It is drawn on top, so that no estimate hides it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.wording import BITS_PER_NAT
from experiments.suite.figures.labels import signed
from experiments.suite.figures.palette import GRID, SHADE, TRUTH

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

DASHES = (0, (4, 2.2))

# The truth


def truth_line(ax: Axes, x: Sequence[float], y: Sequence[float], label: str = "truth") -> None:
    """A black dashed line above every estimate."""
    ax.plot(x, y, color=TRUTH, ls=DASHES, lw=1.1, zorder=10, label=label)


def truth_level(ax: Axes, count: int, value: float = 0.0) -> None:
    """The same truth at each of `count` positions: a level line over the whole `even_axis`."""
    truth_line(ax, [-0.5, count - 0.5], [value, value])


def shade_uncertified(ax: Axes, n_test: int) -> None:
    """Shades what lies above ln n_test: no lower bound there can be certified from n_test samples.

    Any distribution-free high-confidence lower bound on mutual information is O(log n)
    (McAllester and Stratos 2020). One test sample or none has no such edge.
    """
    top = ax.get_ylim()[1]
    if n_test < 2 or (edge := math.log(n_test)) >= top:
        return
    ax.axhspan(edge, top, color=SHADE, zorder=0, lw=0)
    ax.text(
        0.5,
        0.985,
        f"above ln n = {edge:.1f} nats\nno lower bound can be certified\n"
        f"from n = {n_test:,} test samples",
        transform=ax.transAxes,
        ha="center",
        va="top",
        fontsize=7,
        zorder=1,
    )


def bits_axis(ax: Axes) -> None:
    """The same scale in bits on the right."""
    to_bits: Any = lambda nats: nats * BITS_PER_NAT  # noqa: E731
    to_nats: Any = lambda bits: bits / BITS_PER_NAT  # noqa: E731
    ax.secondary_yaxis("right", functions=(to_bits, to_nats)).set_ylabel("bits")


# Limits


def nats_range(rows: pd.DataFrame) -> tuple[float, float]:
    """Range of the finite truths and 0."""
    truth = rows["truth"].to_numpy(dtype=float)
    finite = truth[np.isfinite(truth)]
    return float(min(finite.min(initial=0.0), 0.0)), float(max(finite.max(initial=0.0), 0.1))


def error_limit(rows: pd.DataFrame, room: float, least: float, most: float = math.inf) -> float:
    """`room` times the largest finite |estimate - truth|, between `least` and `most` nats."""
    size = (rows["nats"] - rows["truth"]).abs().to_numpy(dtype=float)
    return float(np.clip(room * size[np.isfinite(size)].max(initial=0.0), least, most))


def text_heights(ax: Axes, values: Sequence[float], gap: float) -> list[float]:
    """Where texts beside these y values stand, so that none is printed on another.

    They keep the order of the values, and are moved as little as that takes: the least squares
    under the condition that neighbours are `gap` apart.

    Args:
        ax: with its y scale and limits set.
        values: on the y axis.
        gap: the least distance of two texts; like what is returned, a share of the axis' height.
    """
    from scipy.optimize import isotonic_regression

    if not len(values):
        return []
    left = ax.get_xlim()[0]
    data = (ax.transScale + ax.transLimits).transform([(left, value) for value in values])[:, 1]
    order, steps = np.argsort(data, kind="stable"), gap * np.arange(len(data))
    heights = np.empty(len(data))
    heights[order] = isotonic_regression(data[order] - steps).x + steps
    return heights.tolist()


# Ticks


def even_axis(ax: Axes, texts: Sequence[str], margin: float = 0.5) -> None:
    """The positions 0, 1, 2, ... in equal steps, each with its text."""
    ax.set_xticks(range(len(texts)), texts)
    ax.set_xlim(-margin, max(len(texts), 1) - 1 + margin)


def even_grid(ax: Axes, count: int) -> None:
    """Thin lines between the positions of an `even_axis`."""
    for middle in range(count - 1):
        ax.axvline(middle + 0.5, color=GRID, lw=0.4, zorder=0)


def ticks_at(axis: Axis, values: Sequence[float], texts: Sequence[str]) -> None:
    """Ticks at these values alone, each with its text."""
    from matplotlib.ticker import NullLocator

    axis.set_ticks(values, labels=texts)
    axis.set_minor_locator(NullLocator())


def log_axis(ax: Axes, values: Sequence[float], texts: Sequence[str]) -> None:
    """A logarithmic x axis with ticks at these values, and room on both sides of them."""
    ax.set_xscale("log")
    ticks_at(ax.xaxis, values, texts)
    ax.set_xlim(0.6 * min(values, default=1.0), 1.7 * max(values, default=1.0))


def symmetric_log(ax: Axes, linear: float) -> None:
    """A y axis that is linear within +-linear and logarithmic outside, with plain numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    top = max(abs(end) for end in ax.get_ylim())
    ax.set_yscale("symlog", linthresh=linear, linscale=0.5)
    ax.set_ylim(-top, top)
    powers = range(round(math.log10(linear)), math.floor(math.log10(top)) + 1)
    ticks = [sign * 10.0**power for power in powers for sign in (-1, 1)]
    ax.yaxis.set_major_locator(FixedLocator(sorted([0.0, *ticks])))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}".replace("-", "−")))


def plain_log_ticks(axis: Axis) -> None:
    """Ticks of a log axis as plain numbers: 1, 2 and 5 times the powers of ten.

    An axis that spans more than three powers of ten has ticks at these alone.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0,) if high > 1e3 * low else (1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def decades(axis: Axis) -> None:
    """Ticks at the powers of ten of a log axis: .01, 1, 100, or all of them as 10⁻⁵, 10⁰."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(numticks=9))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _decade(value, axis)))


SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _decade(value: float, axis: Axis) -> str:
    """A plain number where the axis has room for all of its ticks as such, else a power."""
    low, high = sorted(axis.get_view_interval())
    if low > 0.9e-3 and high < 1e6:
        return signed(value) if value < 1 else f"{value:,.0f}"
    return "10" + str(round(math.log10(value))).translate(SUPERSCRIPTS)
