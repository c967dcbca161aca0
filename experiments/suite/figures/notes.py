"""What stands around the axes: the title with the legend above, the notes below."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from experiments.suite.claims.wording import counted
from experiments.suite.figures.labels import label, spread
from experiments.suite.figures.palette import INK, order
from experiments.suite.figures.series import LOST, signs
from experiments.suite.figures.style import new_figure, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

RUNNING = "running mean of the training batches' value"
"""What `curve_note` calls a training curve."""
COLUMNS = 7
"""The most columns of a legend."""


@contextmanager
def titled_figure(
    width: float,
    height: float,
    *,
    title: str,
    caption: str,
    rows: pd.DataFrame,
    notes: Sequence[str],
) -> Iterator[Figure]:
    """A figure in the suite's style; when its axes are drawn, it gets its title and legend.

        with titled_figure(5, 3.5, title="Errors", caption="Errors by n.", rows=rows,
                           notes=[f"{seed_note(rows)}."]) as figure:
            plot_errors(rows, figure.subplots())

    Args:
        width: in inches; `height` too.
        title: stands above the legend.
        caption: stands under the figure on the report's page.
        rows: what is drawn; see `entitle`.
        notes: lines below the axes.
    """
    with style():
        figure = new_figure(width, height)
        yield figure
        entitle(figure, title, rows, notes)
        figure.set_label(caption)


def entitle(figure: Figure, title: str, rows: pd.DataFrame, notes: Sequence[str]) -> None:
    """Title and one legend of all axes above, notes below.

    The legend has the truth, the methods in the palette's order, the other series, and the number
    of the cells among `rows` that were lost, where they have signs in the axes. Where not, a note
    has it.
    """
    counts = {status: int((rows["status"] == status).sum()) for status in LOST}
    drawn = set().union(*map(signs, figure.axes))
    handles = _ordered(figure, set(rows["method"])) | {
        f"{status}: {counted(count, 'cell')}": _sign(status)
        for status, count in counts.items()
        if count and status in drawn
    }
    unseen = [
        f"{counted(count, 'cell')} ({status})"
        for status, count in counts.items()
        if count and status not in drawn
    ]
    last = [f"Not drawn: {', '.join(unseen)}."] if unseen else []
    crown(figure, title, handles, [*notes, *last])


def crown(figure: Figure, title: str, handles: Mapping[str, Any], notes: Sequence[str]) -> None:
    """Title and one legend above all axes, notes below.

    Args:
        figure: with its axes drawn.
        title: stands above the legend.
        handles: label -> handle, in the legend's order.
        notes: lines below the axes.
    """
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside upper left",
        ncols=_columns(len(handles)),
        handletextpad=0.5,
        columnspacing=1.4,
        borderaxespad=0.2,
        title=title,
        title_fontproperties={"size": 10, "weight": "bold"},
        alignment="left",
    )
    figure.supxlabel("\n".join(notes), x=0.01, ha="left", fontsize=7.5)


def handles_of(figure: Figure) -> dict[str, Any]:
    """Label -> handle of what is labelled in any of a figure's axes."""
    return {
        text: handle
        for ax in figure.axes
        for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)
    }


def _columns(count: int) -> int:
    """Of a legend with so many entries, in as few lines as `COLUMNS` allows, evenly filled."""
    lines = max(1, math.ceil(count / COLUMNS))
    return max(1, math.ceil(count / lines))


def _ordered(figure: Figure, methods: set[str]) -> dict[str, Any]:
    """Label -> handle of all axes of a figure, in the legend's order."""
    found = handles_of(figure)
    first = ["truth", *(label(method) for method in order(methods))]
    return {text: found[text] for text in first if text in found} | found


def _sign(status: str) -> Line2D:
    """The sign of lost cells, as the legend shows it."""
    from matplotlib.lines import Line2D

    look: Any = {"color": INK, "ms": 4.6, "mew": 1.3, "mfc": "none", "ls": "none"}
    return Line2D([], [], marker=LOST[status], **look)


def head(figure: Figure, title: str, notes: Sequence[str], caption: str) -> None:
    """Title above, notes below, and the caption, of a figure without a legend."""
    figure.suptitle(title, x=0.005, ha="left", fontsize=10, fontweight="bold")
    figure.supxlabel("\n".join(notes), x=0.005, ha="left", fontsize=7.5)
    figure.set_label(caption)


def seed_note(rows: pd.DataFrame, bars: bool = True, faint: str = "") -> str:
    """How many seeds a point has, what its bar is where the figure has `bars`, and its seeds.

    Args:
        rows: what is drawn.
        bars: whether the means have intervals.
        faint: what shows the single seeds, such as 'faint marks'; one seed needs no word of it.
    """
    identity = [name for name in ("role", "task", "params", "method") if name in rows]
    seeds = rows.groupby(identity)["seed"].nunique()
    if seeds.max() == 1:
        return "One seed: no interval"
    low, high = int(seeds.min()), int(seeds.max())
    count = counted(low, "seed") if low == high else f"{low} to {high} seeds"
    said = f"Mean of {count}{' with 95 % bootstrap interval' * bars}"
    return f"{said}; {faint}: single seeds" if faint else said


def curve_note(rows: pd.DataFrame, what: str = "") -> str:
    """What a figure's lines and their bands are: of one seed there is neither mean nor band."""
    seeds = int(rows["seed"].nunique())
    of = [what] if what else []
    if seeds < 2:
        return f"Lines: {', '.join([*of, 'one seed'])}."
    of.append(f"mean of {counted(seeds, 'seed')}")
    return f"Lines: {', '.join(of)}; bands from the least seed to the greatest."


def sample_note(rows: pd.DataFrame) -> str:
    """How many samples the networks drew and were tested on, and the other methods' n."""
    lines = []
    drew = rows[rows["status"] != "failed"]
    networks, untrained = drew[drew["steps"] > 0], drew[drew["steps"] == 0]
    if len(networks):
        lines.append(
            f"Networks: {spread(networks['n_train'])} fresh sample pairs each in"
            f" {spread(networks['steps'])} steps, tested on {spread(networks['n_test'])} others."
        )
    for method, group in untrained.groupby("method"):
        lines.append(f"{label(str(method))}: n = {spread(group['n_train'])}.")
    return " ".join(lines)
