"""An SVG as a part of an HTML page."""

from __future__ import annotations

import html
import re

from experiments.suite.figures.palette import DARK

PAGE_COLOURS = {
    "#000000": "var(--truth)",
    "#222222": "var(--ink)",
    "#ffffff": "var(--paper)",
    "#ececec": "var(--shade)",
    "#dddddd": "var(--grid)",
    **{colour: f"var(--c{colour[1:]})" for colour in DARK},
}
"""A figure's colour -> the page's variable, which follows light and dark. Map cells stay."""


def inline_svg(svg: str, name: str, caption: str) -> str:
    """The SVG with ids that begin with `name`, and with the page's font and colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*sans-serif", "var(--sans)", svg)
    for colour, variable in PAGE_COLOURS.items():
        svg = svg.replace(f": {colour}", f": {variable}")
    return re.sub(
        r'<svg( width="[^"]*"| height="[^"]*")*', _opening(svg, name, caption), svg, count=1
    )


def _opening(svg: str, name: str, caption: str) -> str:
    """The start of the `svg` element: what a screen reader says, and the width on the page."""
    size = re.search(r'viewBox="0 0 ([\d.]+) ', svg)
    width = round(float(size[1])) if size else 600
    return (
        f'<svg id="drawing-{name}" role="img" aria-label="{html.escape(caption)}"'
        f' style="min-width:{round(1.1 * width)}px;max-width:{round(1.45 * width)}px"'
    )


def preview_svg(svg: str, name: str) -> str:
    """A small copy of a figure that stands elsewhere on the page, by reference to `inline_svg`."""
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups()  # type: ignore[union-attr]
    return (
        f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">'
        f'<use href="#drawing-{name}" width="{width}" height="{height}"/></svg>'
    )
