"""A sweep's figures: lines, heat maps, small multiples."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from experiments.suite.figures.rendering import render
from experiments.suite.figures.style import new_figure, style
from experiments.suite.sweeps.figures import MOST_PANELS, draw_maps, note_of, panels, sweep_figures
from experiments.suite.sweeps.lines import MEASURES, SELECTED, plot_lines
from experiments.suite.sweeps.maps import plot_map

RATES = [1e-4, 1e-3, 1e-2]


@pytest.fixture(autouse=True, scope="module")
def drawing_style() -> Any:
    with style():
        yield


def new_axes() -> Axes:
    return new_figure(5, 4).subplots()


AXES: list[tuple[dict[str, list[Any]], list[str]]] = [
    ({"learning_rate": RATES}, ["s_scalar"]),
    ({"learning_rate": RATES, "ema_rate": [0.01, 0.1]}, ["s_scalar"]),
    (
        {"learning_rate": RATES, "ema_rate": [0.01, 0.1], "batch_size": [64, 128]},
        ["s_scalar_marginals", "s_scalar_mine"],
    ),
]


@pytest.mark.parametrize(("axes", "names"), AXES, ids=["one", "two", "three"])
def test_the_number_of_axes_decides_what_is_drawn_and_the_bytes_are_the_same(
    made: ModuleType, axes: dict[str, list[Any]], names: list[str]
) -> None:
    found, rows = made.one_sweep(axes, made.by_rate)
    drawn = sweep_figures(found, rows, "s")
    assert list(drawn) == names
    assert all(figure.get_label() for figure in drawn.values())
    again = sweep_figures(found, rows, "s")
    assert render(drawn[names[-1]]) == render(again[names[-1]])


def test_lines_show_the_measure_over_the_values_on_a_log_axis_with_the_truth_at_0(
    made: ModuleType,
) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, made.by_rate)
    ax = new_axes()
    measure = MEASURES[0]
    assert plot_lines(found.table(rows), ax, found.axes[0], measure) is ax
    assert ax.get_xscale() == "log"
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["MINE"].get_xdata().tolist() == RATES
    assert lines["MINE"].get_ydata() == pytest.approx([0.1, 0.02 / 3, 0.1])
    assert set(lines["truth"].get_ydata()) == {0.0}
    assert lines["truth"].get_zorder() > lines["MINE"].get_zorder()
    assert ax.get_xlim()[0] > 0
    assert len(ax.collections) == 2  # an interval for each method


def test_a_heat_map_writes_each_number_and_frames_the_choice(made: ModuleType) -> None:
    def error(row: Any, setting: Any) -> float:
        return -1000.0 * setting["learning_rate"] - setting["ema_rate"]

    found, rows = made.one_sweep({"learning_rate": [1e-4, 1e-3], "ema_rate": [0.01, 0.1]}, error)
    figure = draw_maps(found, found.table(rows))
    ax = figure.axes[0]
    texts = {text.get_position(): text.get_text() for text in ax.texts}
    assert texts == {
        (0.5, 0.5): ".11",
        (1.5, 0.5): "1.01",
        (0.5, 1.5): ".2",
        (1.5, 1.5): "1.1",
    } or (texts == {(0.5, 0.5): ".11", (0.5, 1.5): "1.01", (1.5, 0.5): ".2", (1.5, 1.5): "1.1"})
    (frame,) = ax.patches
    assert frame.get_edgecolor() == to_rgba(SELECTED)
    assert (math.floor(frame.get_x()), math.floor(frame.get_y())) == (0, 0)
    assert "KSG 0 nats" in figure.get_supxlabel()


def test_what_was_lost_is_marked_in_a_heat_map(made: ModuleType, example: ModuleType) -> None:
    found, rows = made.one_sweep(
        {"learning_rate": [1e-4, 1e-3], "ema_rate": [0.01, 0.1]}, lambda row, _: -0.25
    )
    runs = {at: run for run, at in found.settings.items()}
    mine = rows["method"] == "mine"
    all_lost = mine & (rows["run_id"] == runs[(0, 0)])
    one_lost = mine & (rows["run_id"] == runs[(1, 1)]) & (rows["seed"] == 0)
    rows = example.edited(rows, all_lost | one_lost, status="diverged", nats=math.nan)
    rows = rows[~(mine & (rows["run_id"] == runs[(0, 1)]))]
    table = found.table(rows)
    ax = new_axes()
    axes = (found.axes[0], found.axes[1])
    plot_map(table[table["method"] == "mine"], ax, axes, MEASURES[0])
    texts = {text.get_position()[::-1]: text.get_text() for text in ax.texts}
    assert texts == {(0.5, 0.5): "×", (1.5, 0.5): ".25", (1.5, 1.5): ".25*"}


def test_text_values_have_no_line_between_them(made: ModuleType) -> None:
    found, rows = made.one_sweep({"activation": ["elu", "relu"]}, lambda row, _: -0.1)
    ax = new_axes()
    plot_lines(found.table(rows), ax, found.axes[0], MEASURES[0])
    mine = next(line for line in ax.lines if line.get_label() == "MINE")
    assert mine.get_linestyle() == "None"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["elu", "relu"]


def test_many_panels_are_left_to_the_marginals(made: ModuleType) -> None:
    axes: dict[str, list[Any]] = {"learning_rate": [1.0, 2.0], "ema_rate": [0.1, 0.2]}
    axes |= {name: [1, 2] for name in ("a", "b", "c", "d")}
    found, rows = made.one_sweep(axes, lambda row, setting: -setting["learning_rate"], seeds=1)
    assert panels(found) == 16 > MOST_PANELS
    assert list(sweep_figures(found, rows, "s")) == ["s_scalar_marginals"]


def test_panels_that_share_a_scale_cut_no_line(made: ModuleType) -> None:
    def at_the_largest_rate(_: Any, setting: Any) -> float:
        return float(setting["learning_rate"] == RATES[-1])

    grid = {"learning_rate": RATES, "ema_rate": [0.01, 0.1], "batch_size": [64, 128]}
    found, rows = made.one_sweep(grid, at_the_largest_rate)
    drawn = sweep_figures(found, rows, "s")["s_scalar_marginals"]
    axes = [ax for ax in drawn.axes if ax.get_visible()]
    assert [ax.get_ylim()[1] for ax in axes] == pytest.approx([1.05] * 3)


def test_tasks_are_counted_within_a_setting() -> None:
    shared = {"role": "r", "task": "t", "seed": [0, 0], "truth": 1.0}
    rows = pd.DataFrame({"run_id": ["a", "b"], "params": ['{"dim": 1}', '{"dim": 2}'], **shared})
    assert note_of(rows) == "Over 1 task and 1 seed."
