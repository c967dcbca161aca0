"""Rows of an application's experiment as the runner writes them, with made-up measures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from experiments.suite.run.command import CONFIGS
from experiments.suite.run.jobs import prepare
from experiments.suite.run.rows import to_row
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import row_frame
from mine.running.estimates import Estimate
from mine.running.events import Applied

Row = Mapping[str, Any]


def config_of(name: str, *overrides: str) -> dict[str, Any]:
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        composed = compose("config", [f"experiment={name}", *overrides])
    plain = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def application_rows(name: str, measures: Callable[[Row], Mapping[str, Any]]) -> pd.DataFrame:
    """A row for each cell of the default grid; the measures are a function of method and seed."""
    cells, jobs = prepare(config_of(name))
    where = Run(Path("outputs") / name / ("0" * 12))
    return row_frame(
        to_row(cell, job, Applied(estimate, math.nan, measures(vars(cell))), where, 1.0, "cpu")
        for cell, job in zip(cells, jobs, strict=True)
        for estimate in [Estimate(1.0, 0.01, 1.0, cell.method, 1000, 2000, cell.steps)]
    )
