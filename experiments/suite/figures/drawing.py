"""Figures drawn: rows to bytes by kind, of one run for its folder, of many for the report."""

from __future__ import annotations

import html
import importlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.suite.claims.rows import given
from experiments.suite.figures.style import DARK
from experiments.suite.store import runs as store

if TYPE_CHECKING:
    import pandas as pd

PAGE_COLOURS = {
    "#000000": "var(--truth)",
    "#222222": "var(--ink)",
    "#ffffff": "var(--paper)",
    "#ececec": "var(--shade)",
    "#dddddd": "var(--grid)",
    **{colour: f"var(--c{colour[1:]})" for colour in DARK},
}
"""The figures' colours that follow the page; the others, and those of map cells, stay."""
MANY = 5
"""Experiments that are worth processes of their own."""


def draw(name: str, rows: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Drawn]:
    """The figures of the experiment of that name, rendered."""
    from experiments.suite.figures.style import render

    module = importlib.import_module(f"experiments.{name}")
    return {
        figure_name: Drawn(figure_name, figure.get_label(), render(figure))
        for figure_name, figure in given(module.figures, rows, curves).items()
    }


@dataclass(frozen=True)
class Drawn:
    """A rendered figure: name, caption, and bytes by kind (svg, pdf, png)."""

    name: str
    caption: str
    kinds: Mapping[str, bytes]

    @property
    def inline(self) -> str:
        """The SVG as part of an HTML page: ids of its own, the page's font and frame colours."""
        svg = self.kinds["svg"].decode()
        svg = svg[svg.index("<svg") :]
        svg = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", svg, flags=re.S)
        svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{self.name}-", svg)
        svg = re.sub(r"'DejaVu Sans'[^;\"]*sans-serif", "var(--sans)", svg)
        for colour, variable in PAGE_COLOURS.items():
            svg = svg.replace(f": {colour}", f": {variable}")
        size = re.search(r'viewBox="0 0 ([\d.]+) ', svg)
        width = round(float(size[1])) if size else 600
        attributes = (
            f'<svg role="img" aria-label="{html.escape(self.caption)}"'
            f' style="min-width:{round(1.1 * width)}px;max-width:{round(1.45 * width)}px"'
        )
        return re.sub(r'<svg( width="[^"]*"| height="[^"]*")*', attributes, svg, count=1)

    def write(self, folder: Path) -> None:
        """Writes <folder>/<name>.<kind> for each kind, atomically."""
        for kind, data in self.kinds.items():
            store.write_atomic(folder / f"{self.name}.{kind}", data)


def draw_run(run: store.Run) -> dict[str, Drawn]:
    """Draws a run's figures from its rows, into its folder: for the runner when it is done."""
    drawn = draw(run.experiment, run.read_rows(), run.read_curves())
    for figure in drawn.values():
        figure.write(run.figures)
    return drawn


@contextmanager
def side_by_side(
    tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
) -> Iterator[dict[str, Callable[[], dict[str, Drawn]]]]:
    """What gives each experiment's figures, or raises what their drawing raised.

    Many experiments are drawn in processes of their own, one a core; each is spawned, since this
    one has threads. A few are drawn here, when they are asked for: a process takes as long to
    start.

    Args:
        tables: rows and training curves by the experiment's name.
    """
    if len(tables) < MANY:
        yield {name: partial(draw, name, *of) for name, of in tables.items()}
        return
    workers = min(len(tables), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield {name: pool.submit(draw, name, *of).result for name, of in tables.items()}
