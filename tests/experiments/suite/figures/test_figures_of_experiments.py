"""The figures of two experiments mean what they say; equal rows give equal bytes."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from experiments import equitability, gaussian
from experiments.noisy_functions.against_r_squared import plot_r2
from experiments.noisy_functions.functions import VARIANCES, r_squared
from experiments.noisy_functions.maps import plot_map
from experiments.noisy_functions.sides import plot_side_errors, plot_sides
from experiments.suite.claims.claim import judge
from experiments.suite.figures.palette import COLOURS, TRUTH
from experiments.suite.figures.rendering import render
from experiments.suite.figures.style import new_figure, style


@pytest.fixture(autouse=True)
def drawing_style() -> Iterator[None]:
    with style():
        yield


@pytest.fixture(scope="module")
def gaussian_rows(example: ModuleType) -> pd.DataFrame:
    """Both panels, with diverged, failed and absurd cells."""
    return example.realistic_gaussian(example.gaussian_config(2, rho=[-0.9, 0.0, 0.7]))


@pytest.fixture(scope="module")
def equitability_rows(example: ModuleType) -> pd.DataFrame:
    config = example.equitability_config(2, sigma=[0.0, 0.1, 0.5])
    rows = example.example_rows(config, example.realistic_bias)
    cube = rows["params"].str.contains('"cube", "sigma": 0.5')
    return example.edited(rows, cube, status="diverged", nats=math.nan)


def new_axes() -> Axes:
    return new_figure(5, 4).subplots()


def drawn_axes(gaussian_rows: pd.DataFrame, equitability_rows: pd.DataFrame) -> list[Axes]:
    """One axes from each plot function that draws the truth as a line."""
    low, rows = gaussian.table(gaussian_rows), equitability.table(equitability_rows)
    low = low[low["role"] == "scalar"]
    on_map, on_self = rows[rows["role"] == "map"], rows[rows["role"] == "self"]
    return [
        gaussian.plot_estimates(low, new_axes()),
        gaussian.plot_errors(low, new_axes(), limit=0.1),
        plot_r2(on_map, new_axes()),
        plot_sides(on_map, on_self, new_axes()),
        plot_side_errors(on_map, on_self, new_axes(), equitability.tolerance),
    ]


def test_the_truth_is_black_dashed_and_above_every_estimate(
    gaussian_rows: pd.DataFrame, equitability_rows: pd.DataFrame
) -> None:
    for ax in drawn_axes(gaussian_rows, equitability_rows):
        truths = [line for line in ax.lines if line.get_label() == "truth"]
        assert truths
        assert {line.get_color() for line in truths} == {TRUTH}
        assert all(line.is_dashed() for line in truths)
        containers = [artist for bar in ax.containers for artist in bar.get_children()]
        estimates = [*containers, *ax.collections]
        assert min(line.get_zorder() for line in truths) > max(
            artist.get_zorder() for artist in estimates
        )


def test_plot_functions_return_the_axes_they_were_given(
    gaussian_rows: pd.DataFrame, equitability_rows: pd.DataFrame
) -> None:
    low, rows = gaussian.table(gaussian_rows), equitability.table(equitability_rows)
    on_map = rows[rows["role"] == "map"]
    for plot in (
        lambda ax: gaussian.plot_estimates(low[low["role"] == "scalar"], ax),
        lambda ax: plot_map(on_map, ax, "error"),
        lambda ax: plot_r2(on_map, ax),
    ):
        ax = new_axes()
        assert plot(ax) is ax


def test_the_same_rows_give_the_same_bytes(
    gaussian_rows: pd.DataFrame, equitability_rows: pd.DataFrame
) -> None:
    high, on_map = (
        rows[rows["role"] == role]
        for rows, role in ((gaussian_rows, "high"), (equitability_rows, "map"))
    )
    for module, rows in ((gaussian, high), (equitability, on_map)):
        once, again = (
            {name: render(figure) for name, figure in module.figures(rows).items()}
            for _ in range(2)
        )
        assert once == again
        assert all(set(kinds) == {"svg", "pdf", "png"} for kinds in once.values())


def test_a_pdf_has_each_font_once_and_nothing_is_cut(gaussian_rows: pd.DataFrame) -> None:
    """Greek and minus signs beside plain letters, in two weights."""
    rows = gaussian_rows[gaussian_rows["role"] == "scalar"]
    (figure,) = gaussian.figures(rows).values()
    pdf = render(figure)["pdf"]
    names = re.findall(rb"/BaseFont /(?:[A-Z]{6}\+)?([\w-]+)", pdf)
    assert {b"DejaVuSans", b"DejaVuSans-Bold"} == set(names)
    assert pdf.count(b"/FontFile2") == 2
    inside = figure.get_tightbbox()
    assert min(inside.min) >= 0.0 and (inside.max <= figure.get_size_inches()).all()


def test_figures_are_named_by_what_they_show(
    gaussian_rows: pd.DataFrame, equitability_rows: pd.DataFrame
) -> None:
    names = [*gaussian.figures(gaussian_rows), *equitability.figures(equitability_rows)]
    assert names == [
        "gaussian_scalar_1d",
        "gaussian_high_20d",
        "equitability_map_mine_2d",
        "equitability_r2_mine_2d",
        "equitability_self_mine_2d",
    ]
    found = judge(gaussian, gaussian_rows, gaussian_rows[:0])
    found += judge(equitability, equitability_rows, equitability_rows[:0])
    assert {claim.figure for claim in found} <= set(names)


def texts(figure: Any) -> str:
    return "\n".join(
        text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_visible()
    )


def test_lost_and_absurd_cells_are_drawn_and_counted(gaussian_rows: pd.DataFrame) -> None:
    figure = gaussian.figures(gaussian_rows)["gaussian_high_20d"]
    lost = gaussian_rows[gaussian_rows["role"] == "high"]["status"].value_counts()
    seen = texts(figure)
    assert f"diverged: {lost['diverged']} cells" in seen
    assert f"failed: {lost['failed']} cell" in seen
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    squares = [line for line in figure.axes[0].lines if line.get_marker() == "s"]
    triangles = [line for line in figure.axes[0].lines if line.get_marker() == "^"]
    assert crosses
    assert any(line.get_markerfacecolor() == "none" for line in squares)
    assert any(line.get_markerfacecolor() == COLOURS["dv"] for line in triangles)


def test_figures_say_their_samples_seeds_and_reading_of_2d(gaussian_rows: pd.DataFrame) -> None:
    drawn = gaussian.figures(gaussian_rows)
    low, high = texts(drawn["gaussian_scalar_1d"]), texts(drawn["gaussian_high_20d"])
    assert "X and Y scalar, the pair is 2-D" in low
    assert "256,000 fresh sample pairs each" in low
    assert "KSG: n = 5,000" in low
    assert "Mean of 2 seeds with 95 % bootstrap interval" in low
    assert "above ln n = 9.2 nats" in high
    assert "−.9" in low


def test_infinite_truths_are_drawn_as_such(equitability_rows: pd.DataFrame) -> None:
    figure = equitability.figures(equitability_rows)["equitability_map_mine_2d"]
    estimate, truth, error = figure.axes[:3]
    for ax, sign in ((truth, "∞"), (error, "−∞")):
        assert [text.get_text() for text in ax.texts].count(sign) == 3
    for ax in (estimate, truth, error):
        assert sum(bool(patch.get_hatch()) for patch in ax.patches) == 3
    assert "×" in [text.get_text() for text in estimate.texts]
    assert estimate.collections[0].get_clim() == truth.collections[0].get_clim()
    low, high = error.collections[0].get_clim()
    assert low == -high


def test_r_squared_is_the_share_of_variance() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, 400_000)
    for name, function in (("identity", x), ("cube", x**3), ("sin", np.sin(x)), ("double", 2 * x)):
        assert VARIANCES[name] == pytest.approx(function.var(), rel=0.01)
    assert r_squared("identity", math.sqrt(1 / 3)) == pytest.approx(0.5)


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_rows_without_a_single_estimate_are_drawn(example: ModuleType, status: str) -> None:
    for module, config in (
        (gaussian, example.gaussian_config(1, rho=[0.0, 0.9])),
        (equitability, example.equitability_config(1, sigma=[0.0, 0.1])),
    ):
        rows = example.example_rows(config).assign(status=status, nats=math.nan)
        for figure in module.figures(rows).values():
            figure.draw_without_rendering()


def test_one_seed_one_method_and_odd_names_are_drawn(example: ModuleType) -> None:
    config = example.gaussian_config(1, rho=[0.5], methods=["my_$method"])
    odd = example.example_rows(config)
    config = example.equitability_config(1, sigma=[0.5], functions=["sin"])
    rows = example.example_rows(config)
    rows["params"] = rows["params"].str.replace("sin", r"$\\frac{<b>")
    drawn = gaussian.figures(odd) | equitability.figures(rows)
    assert all("One seed" in texts(figure) for figure in drawn.values())
    with_html = render(drawn["equitability_map_mine_2d"])["svg"]
    assert b"&lt;b&gt;" in with_html
    assert b"<b>" not in with_html


def test_experiments_and_report_import_neither_torch_nor_drawing() -> None:
    code = (
        "import sys, experiments.gaussian, experiments.equitability;"
        "import experiments.suite.report.command;"
        "sys.exit(', '.join({'torch', 'matplotlib', 'seaborn'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
