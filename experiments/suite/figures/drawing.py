"""From an experiment's rows to its rendered figures: of one run, or of many for the report."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING

from experiments.suite.claims.rows import given
from experiments.suite.figures.rendering import Drawn
from experiments.suite.store.runs import Run

if TYPE_CHECKING:
    import pandas as pd

MANY = 5
"""The least number of experiments for which worker processes save time."""


def draw(name: str, rows: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Drawn]:
    """The rendered figures of the experiment of that name; none where there are no rows.

    So an experiment's `figures` always gets at least one row.
    """
    if rows.empty:
        return {}
    module = importlib.import_module(f"experiments.{name}")
    return Drawn.of(given(module.figures, rows, curves))


def draw_run(run: Run) -> dict[str, Drawn]:
    """Draws a run's figures from its rows, into its folder."""
    drawn = draw(run.experiment, run.read_rows(), run.read_curves())
    for figure in drawn.values():
        figure.write(run.figures)
    return drawn


@contextmanager
def side_by_side(
    tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
) -> Iterator[dict[str, Callable[[], dict[str, Drawn]]]]:
    """For each experiment a function that returns its figures, or raises what drawing raised.

    Many experiments are drawn in worker processes, one a core. These are spawned: a fork of a
    process with threads can hang. Fewer experiments are drawn here, when they are asked for: a
    worker takes as long to start.

    Args:
        tables: rows and training curves by the experiment's name.
    """
    if len(tables) < MANY:
        yield {name: partial(draw, name, *of) for name, of in tables.items()}
        return
    workers = min(len(tables), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield {name: pool.submit(draw, name, *of).result for name, of in tables.items()}
