"""Colours and markers: a method has one of each, everywhere.

The methods' colours are Okabe and Ito's, which stay apart under the common forms of colour
blindness. The report changes some of them for a dark page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from experiments.suite.figures.labels import label

if TYPE_CHECKING:
    import pandas as pd

TRUTH, INK, SHADE, GRID = "#000000", "#222222", "#ececec", "#dddddd"
"""Nothing else has the colours TRUTH and INK: the report makes them light on a dark page."""
OF_OTHERS = "#8a8a8a"
"""The grey of values that others print."""
ON_COLOUR = "#262626"
"""Dark text on a coloured cell; the report never changes it."""
DARK_LUMINANCE = 0.0194
"""The relative luminance of ON_COLOUR."""

COLOURS = {
    "mine": "#0072b2",
    "mine_f": "#e69f00",
    "dv": "#cc79a7",
    "ksg": "#009e73",
    "infonce": "#56b4e9",
    "smile": "#d55e00",
    "nwj": "#8c6d1f",
    "js": "#7b4ea3",
    "remine": "#b22222",
    "gaussian": "#5c4033",
    "doe": "#6b8e23",
}
SPARE = ("#4b6a88", "#a0522d", "#c71585", "#2f4f4f", "#9a8700")
"""Colours of the methods that COLOURS does not have."""
MARKERS = {
    "mine": "o",
    "mine_f": "s",
    "dv": "^",
    "ksg": "D",
    "infonce": "v",
    "smile": "P",
    "nwj": "<",
    "js": "X",
    "remine": ">",
    "gaussian": "p",
    "doe": "h",
    "auto": "d",
    "gaussian_copula": "*",
}
"""The markers of methods whose colours some readers do not tell apart; a circle for the others."""
SETTINGS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Colours of the settings that an experiment compares, in their order."""
SETTING_MARKERS = "osD^vP"
DARK = {
    "#0072b2": "#3d9be0",
    "#332288": "#9a8cf2",
    "#117733": "#45b36b",
    "#7b4ea3": "#b48be0",
    "#b22222": "#e8696b",
    "#2f4f4f": "#8fb5b5",
    "#4b6a88": "#86a9cc",
    "#5c4033": "#b08d7d",
}
"""A colour that is too dark for a dark page -> what replaces it there."""

Look = dict[str, Any]
"""Colour, marker and label of a series, as matplotlib's keyword arguments."""


def order(methods: set[str]) -> list[str]:
    """Known methods in the palette's order, then the others by name."""
    known = [method for method in COLOURS if method in methods]
    return known + sorted(methods - set(COLOURS))


def palette(methods: Sequence[str]) -> dict[str, str]:
    """A colour for each method, distinct; names that are not in COLOURS share SPARE in order.

    `smile(tau=5)` has the colour of `smile` where no other `smile` is in the figure.
    """
    plain = [method.partition("(")[0] for method in set(methods)]
    names = {m: n if plain.count(n := m.partition("(")[0]) == 1 else m for m in methods}
    others = sorted(set(names.values()) - set(COLOURS))
    return {
        m: COLOURS.get(name) or SPARE[others.index(name) % len(SPARE)] for m, name in names.items()
    }


def looks(rows: pd.DataFrame, by: str = "method") -> dict[Any, Look]:
    """Colour, marker and label of each value of a column: of methods, or of settings."""
    return _method_looks(set(rows[by])) if by == "method" else _setting_looks(rows[by])


def _method_looks(methods: set[str]) -> dict[Any, Look]:
    ordered = order(methods)
    colours = palette(ordered)
    return {
        m: {
            "color": colours[m],
            "marker": MARKERS.get(m.partition("(")[0], "o"),
            "label": label(m),
        }
        for m in ordered
    }


def _setting_looks(values: pd.Series) -> dict[Any, Look]:
    return {
        value: {
            "color": SETTINGS[i % len(SETTINGS)],
            "marker": SETTING_MARKERS[i % len(SETTING_MARKERS)],
            "label": str(value),
        }
        for i, value in enumerate(dict.fromkeys(values))
    }


def text_colour(mapped: Any, value: float) -> str:
    """White or ON_COLOUR: the greater WCAG contrast on the colour that `mapped` gives a value."""
    red, green, blue = (
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in mapped.to_rgba(value)[:3]
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    on_dark, on_light = 1.05 / (luminance + 0.05), (luminance + 0.05) / (DARK_LUMINANCE + 0.05)
    return "#fefefe" if on_dark > on_light else ON_COLOUR
