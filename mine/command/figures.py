"""Figures of estimates. What draws takes an `ax`, and writes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mine.command.files import written_whole
from mine.command.printing import INFINITE, shown
from mine.command.records import LEVEL

FDR = 0.05
"""The rate of false discoveries at which pairs are marked."""

if TYPE_CHECKING:
    from mine.estimators.lagged import Lagged
    from mine.running.estimates import Estimate


def save_figure(file: Path, draw: Callable[[Any], None], size: tuple[float, float]) -> None:
    """Writes what `draw` draws on an `ax`; the size is in inches."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Names are no formulas: matplotlib would read b$^$ as one.
    with rc_context({"text.parse_math": False}), written_whole(file) as part:
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        figure.savefig(part, dpi=150)


def draw_curve(ax: Any, e: Estimate) -> None:
    """The training's value over its steps, and the value on the test rows."""
    ax.plot([step for step, _ in e.curve], [nats for _, nats in e.curve], label="training rows")
    low, high = e.interval(LEVEL)
    ax.axhspan(low, high, alpha=0.2, color="C1")
    ax.axhline(e.nats, color="C1", label=f"test rows: {e.nats:.3f} nats, 95 % interval")
    ax.set(xlabel="step", ylabel="mutual information (nats)", title=e.method)
    ax.legend()


def draw_methods(ax: Any, found: Mapping[str, Estimate]) -> None:
    """A point and an interval for each method."""
    for place, e in enumerate(found.values()):
        low, high = e.interval(LEVEL)
        ax.plot([low, high], [place, place], color="C0")
        ax.plot([e.nats], [place], "o", color="C0")
    ax.set_yticks(range(len(found)), list(found))
    ax.invert_yaxis()
    ax.set(xlabel="mutual information (nats), 95 % interval")


def draw_lags(ax: Any, found: Lagged) -> None:
    """A point and an interval for each lag."""
    order = sorted(range(len(found.lags)), key=found.lags.__getitem__)
    lags = [found.lags[i] for i in order]
    estimates = [found.estimates[i] for i in order]
    ax.plot(lags, [e.nats for e in estimates], "o-", color="C0", markersize=4)
    ax.vlines(lags, *zip(*(e.interval(LEVEL) for e in estimates), strict=True), color="C0")
    ax.axhline(0.0, color="0.6", linewidth=0.8)
    ax.set(xlabel="lag of y behind x (rows)", ylabel="mutual information (nats), 95 % interval")


def draw_matrix(
    ax: Any,
    names: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    marked: Sequence[Sequence[bool]] | None = None,
) -> None:
    """A cell for each pair, with its value in nats, and a star and a frame where it is marked."""
    from matplotlib.patches import Rectangle

    finite = [[value if math.isfinite(value) else math.nan for value in row] for row in values]
    image = ax.imshow(finite, cmap="viridis")
    low, high = image.get_clim()
    bright = low + 0.7 * (high - low)  # a cell above has dark letters
    ax.set_xticks(range(len(columns)), map(shown, columns), rotation=45, ha="right")
    ax.set_yticks(range(len(names)), map(shown, names))
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            if not math.isnan(value):
                text = f"{value:.2f}" if math.isfinite(value) else INFINITE
                color = "w" if value < bright else "k"
                star = marked is not None and marked[i][j]
                if star:
                    place = (j - 0.46, i - 0.46), 0.92, 0.92
                    ax.add_patch(Rectangle(*place, fill=False, edgecolor="C3", linewidth=1.5))
                ax.text(j, i, text + "*" * star, ha="center", va="center", color=color, fontsize=7)
    ax.figure.colorbar(image, label="mutual information (nats)")
    if marked is not None:
        caption = f"* framed: q ≤ {FDR} (Benjamini-Hochberg)"
        ax.figure.supxlabel(caption, fontsize=7)
