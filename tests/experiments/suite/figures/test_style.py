"""Figures: marks that mean what they say, and the same bytes from the same rows."""

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
from matplotlib.colors import to_rgb

from experiments import equitability, gaussian
from experiments.suite.figures.labels import signed
from experiments.suite.figures.palette import COLOURS, TRUTH, palette, text_colour
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
        equitability.plot_r2(on_map, new_axes()),
        equitability.plot_sides(on_map, on_self, new_axes()),
        equitability.plot_side_errors(on_map, on_self, new_axes()),
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
        lambda ax: equitability.plot_map(on_map, ax, "error"),
        lambda ax: equitability.plot_r2(on_map, ax),
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
    found = gaussian.claims(gaussian_rows) + equitability.claims(equitability_rows)
    assert {claim.figure for claim in found} <= set(names)


def test_every_method_has_a_colour_of_its_own() -> None:
    methods = [*COLOURS, "some", "other", "names"]
    colours = palette(methods)
    assert len(set(colours.values())) == len(methods)
    assert palette(["mine", "zzz"])["mine"] == palette(["mine"])["mine"]
    assert TRUTH not in colours.values()


def linear(colour: Any) -> Any:
    """sRGB in [0, 1] to linear RGB."""
    channels = np.array(colour)
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: Any) -> Any:
    """Linear RGB to CIELAB (D65)."""
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = rgb @ np.array(matrix).T / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


COLOUR_BLINDNESS = {
    "protanopia": [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882,
                   -0.048116, 1.051998],
    "deuteranopia": [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820,
                     0.042940, 0.968881],
    "tritanopia": [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733,
                   0.691367, 0.303900],
}  # fmt: skip
"""Machado et al. 2009, full severity, on linear RGB."""


@pytest.mark.parametrize("kind", COLOUR_BLINDNESS)
def test_the_compared_methods_stay_apart_for_a_colour_blind_reader(kind: str) -> None:
    colours = linear([to_rgb(COLOURS[m]) for m in ("mine", "mine_f", "dv", "ksg")])
    matrix = np.reshape(COLOUR_BLINDNESS[kind], (3, 3))
    seen = lab(np.clip(colours @ matrix.T, 0.0, 1.0))
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    assert apart[np.triu_indices(4, 1)].min() > 15.0


@pytest.mark.parametrize("name", ["cividis", "RdBu_r"])
def test_numbers_on_a_map_can_be_read(name: str) -> None:
    mapped = matplotlib.cm.ScalarMappable(cmap=name)
    mapped.set_clim(0.0, 1.0)
    for value in np.linspace(0.0, 1.0, 101):
        text, cell = to_rgb(text_colour(mapped, value)), mapped.to_rgba(value)[:3]
        bright, dark = sorted((luminance(text), luminance(cell)), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) > 3.8


def luminance(colour: Any) -> float:
    """WCAG's relative luminance of an sRGB colour in [0, 1]."""
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


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
    assert "above ln n_test = 9.2 nats" in high
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
        assert equitability.VARIANCES[name] == pytest.approx(function.var(), rel=0.01)
    assert equitability.r_squared("identity", math.sqrt(1 / 3)) == pytest.approx(0.5)


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


def test_numbers_lose_only_a_leading_zero() -> None:
    assert [signed(x) for x in (-0.99, 0.0, 0.5, 10.5)] == ["−.99", "0", ".5", "10.5"]


def test_experiments_and_report_import_neither_torch_nor_drawing() -> None:
    code = (
        "import sys, experiments.gaussian, experiments.equitability;"
        "import experiments.suite.report.command;"
        "sys.exit(', '.join({'torch', 'matplotlib', 'seaborn'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
