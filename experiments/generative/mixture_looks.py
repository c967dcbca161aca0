"""How figures of mixtures show their arms: names, colours, settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.generative.shapes import Shape
from experiments.suite.figures.labels import signed

LOOKS: Mapping[str, Mapping[str, Any]] = {
    "gan": {"color": "#d55e00", "marker": "^", "label": "GAN"},
    "mine": {"color": "#0072b2", "marker": "o", "label": "GAN + MINE"},
    "mine(clip=0)": {"color": "#56b4e9", "marker": "s", "label": "MINE, not clipped"},
    "penalty": {"color": "#009e73", "marker": "D", "label": "gradient penalty"},
}
"""The arms that figures compare, in their order."""
SETTINGS = {"weak": "discriminator ten times as slow", "equal": "equal learning rates"}
DATA, CLOUD = "data", "uniform cloud"


def mixture_name(shape: Shape) -> str:
    """'a ring of 8', 'a grid of 25, σ = .1', 'a spiral'."""
    if shape.kind == "spiral":
        return "a spiral"
    return f"a {shape.kind} of {shape.modes}, σ = {signed(shape.sigma)}"
