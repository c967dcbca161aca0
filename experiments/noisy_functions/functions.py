"""The functions of the noise channel Y = f(X) + sigma eps: names, colours and variances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from experiments.suite.figures.labels import dim_of, label
from experiments.suite.figures.palette import SPARE, Look

if TYPE_CHECKING:
    import pandas as pd

LABELS = {"identity": "x", "cube": "x³", "sin": "sin x", "double": "2x"}
COLOURS = {
    "identity": "#332288",
    "cube": "#cc6677",
    "sin": "#117733",
    "double": "#999933",
}
"""Apart from the methods' colours; the report's page has dark variants of them."""
MARKERS = {"identity": "o", "cube": "s", "sin": "^", "double": "D"}
VARIANCES = {
    "identity": 1.0 / 3.0,
    "cube": 1.0 / 7.0,
    "sin": 0.5 - math.sin(2.0) / 4.0,
    "double": 4.0 / 3.0,
}
"""Var f(X) for X ~ U(-1, 1): f is odd, so it is E f(X)^2. A function not named here has no R^2."""


def function_label(function: str) -> str:
    """A function's printed name: 'x³'."""
    return LABELS.get(function, function)


def function_look(function: str) -> Look:
    """Colour and marker of a function."""
    return {"color": COLOURS.get(function, SPARE[0]), "marker": MARKERS.get(function, "v")}


def function_series(function: str) -> Look:
    """Colour, marker and the legend's text of a function."""
    return {**function_look(function), "label": f"f = {function_label(function)}"}


def r_squared(function: str, sigma: float) -> float:
    """Var f(X) / (Var f(X) + sigma^2) for X ~ U(-1, 1)."""
    return VARIANCES[function] / (VARIANCES[function] + sigma**2)


def functions(rows: pd.DataFrame) -> list[str]:
    """The functions in the rows, known ones first."""
    found = set(rows["function"])
    return [f for f in LABELS if f in found] + sorted(found - set(LABELS))


def setting(rows: pd.DataFrame) -> str:
    """'MINE, X and Y each 2-D'."""
    dim = dim_of(rows)
    where = "X and Y scalar" if dim == 1 else f"X and Y each {dim}-D"
    return f"{label(str(rows['method'].iloc[0]))}, {where}"
