"""What the axes do not reach, and what was lost, is shown or said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.suite.figures.axes import decades, text_heights
from experiments.suite.figures.notes import curve_note, seed_note, titled_figure
from experiments.suite.figures.series import lost_cells, mark_farthest, mean_points
from experiments.suite.figures.style import new_figure


@pytest.fixture
def ax() -> Axes:
    axes = new_figure(4, 3).subplots()
    axes.set_ylim(0.0, 1.0)
    return axes


def test_an_interval_that_is_cut_ends_in_an_arrow_head_on_the_frame(ax: Axes) -> None:
    means = pd.DataFrame({"mean": [0.5, 0.5, 3.0], "low": [-1.0, 0.4, 2.0], "high": [2.0, 0.6, 4]})
    mean_points(ax, [0, 1, 2], means, color="k", marker="o")
    heads = {
        line.get_marker(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in ax.lines
        if line.get_marker() in "v^"
    }
    assert heads == {"v": ([0], [0.0]), "^": ([0], [1.0])}, "the third mean itself is outside"


def test_a_curve_that_leaves_the_axes_is_marked_with_its_farthest_value(ax: Axes) -> None:
    mark_farthest(ax, np.arange(4.0), np.array([0.1, 5.0, 19.0, 0.5]), "k")
    assert [text.get_text() for text in ax.texts] == ["19"]


def rows(*statuses: str) -> pd.DataFrame:
    columns = {"role": "r", "task": "t", "params": "{}", "method": "mine", "x": 0.0}
    return pd.DataFrame({"status": statuses, "seed": range(len(statuses))}).assign(**columns)


def drawn(of: pd.DataFrame, with_signs: bool) -> tuple[str, str]:
    """The text of the legend and of the notes."""
    with titled_figure(5, 4, title="T", caption="C", rows=of, notes=["N"]) as figure:
        axes = figure.subplots()
        if with_signs:
            lost_cells(axes, of, "x", {0.0: 0.0}, "k")
    return said(figure)


def said(figure: Figure) -> tuple[str, str]:
    (legend,) = figure.legends
    return " ".join(text.get_text() for text in legend.get_texts()), figure.get_supxlabel()


def test_lost_cells_are_in_the_legend_where_they_have_signs_and_else_in_a_note() -> None:
    lost = rows("ok", "diverged", "diverged", "failed")
    assert drawn(lost, True) == ("diverged: 2 cells failed: 1 cell", "N")
    assert drawn(lost, False) == ("", "N\nNot drawn: 2 cells (diverged), 1 cell (failed).")
    assert drawn(rows("ok"), False) == ("", "N")


def test_one_seed_has_no_interval_band_or_faint_marks() -> None:
    one, two = rows("ok"), rows("ok", "ok")
    assert seed_note(one, faint="faint marks") == "One seed: no interval"
    assert seed_note(two, faint="faint marks").endswith("interval; faint marks: single seeds")
    assert curve_note(one) == "Lines: one seed."
    assert curve_note(two, "loss").startswith("Lines: loss, mean of 2 seeds; bands from")


def test_texts_keep_their_order_and_a_gap_and_move_no_more_than_that_takes(ax: Axes) -> None:
    assert text_heights(ax, [0.9, 0.1], gap=0.2) == pytest.approx([0.9, 0.1])
    assert text_heights(ax, [0.5, 0.5, 0.9], gap=0.2) == pytest.approx([0.4, 0.6, 0.9])
    ax.set(yscale="log", ylim=(0.01, 100.0))
    assert text_heights(ax, [1.0], gap=0.2) == pytest.approx([0.5])
    assert text_heights(ax, [], gap=0.2) == []


@pytest.mark.parametrize(
    ("limits", "texts"),
    [((1e-3, 1.0), [".001", ".01", ".1", "1"]), ((1e-5, 0.1), ["10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²"])],
)
def test_all_powers_of_ten_of_an_axis_are_written_in_one_way(
    ax: Axes, limits: tuple[float, float], texts: list[str]
) -> None:
    ax.set(yscale="log", ylim=limits)
    decades(ax.yaxis)
    ax.figure.draw_without_rendering()
    shown = [text.get_text() for text in ax.get_yticklabels()]
    assert [text for text in shown if text in texts] == texts
