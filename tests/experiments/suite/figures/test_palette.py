"""Colours stay apart, and numbers on them can be read."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from experiments.suite.figures.palette import COLOURS, TRUTH, palette, text_colour


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
