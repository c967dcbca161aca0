"""A run of eighteen tiny cells, and ways to break it, for the tests of the runner."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

import mine.critics.mlp
import mine.running.forecast
import mine.running.run
from experiments.suite.run.command import CONFIGS, command
from experiments.suite.run.running import run_experiment
from experiments.suite.store.joined import load_runs
from experiments.suite.store.runs import Run
from experiments.suite.store.table_bytes import csv_bytes
from experiments.suite.store.tables import ROW_COLUMNS
from mine.running.events import Done, Event
from mine.tasks import CorrelatedGaussian

ROOT = Path(__file__).resolve().parents[4]
TINY = (
    *("experiment=gaussian", "scale=smoke", "device=cpu", "experiment.rho=[0.3,0.5,0.9]"),
    *("experiment.methods=[ksg,mine,dv]", "experiment.panels.scalar={dim:1,steps:1,seeds:1}"),
    *("experiment.panels.high={dim:3,steps:2,seeds:1}", "~experiment.panels.high.critic"),
    *("train.steps=4", "train.batch_size=16", "critic.hidden=[8]"),
    *("scale.n_test=100", "scale.ksg_n=60", "figures=false"),
)
CELLS = 2 * 3 * 3
UNTIMED = [name for name in ROW_COLUMNS if name not in ("seconds", "run_id", "commit")]
"""What two runs of one config and code share to the last bit; someone may commit between them."""
FORECAST = mine.running.forecast.forecast
Patch = pytest.MonkeyPatch


@cache
def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        return compose("config", [*TINY, *overrides])


def config_of(*overrides: str) -> dict[str, Any]:
    plain = OmegaConf.to_container(composed(*overrides), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def config_in(outputs: Path, *overrides: str) -> dict[str, Any]:
    return {**config_of(*overrides), "outputs": str(outputs)}


def run_in(outputs: Path, *overrides: str) -> int:
    return run_experiment(config_in(outputs, *overrides), "the command")


def the_run(outputs: Path) -> Run:
    (folder,) = outputs.glob("*/*/config.yaml")
    return Run(folder.parent)


def rows_in(outputs: Path) -> pd.DataFrame:
    return the_run(outputs).read_rows()


def assert_same_bits(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Equal but for `UNTIMED`; CSV's digits give the same double back."""
    assert csv_bytes(one[UNTIMED]) == csv_bytes(other[UNTIMED])


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def assert_nothing_half_written(outputs: Path) -> None:
    assert not list(outputs.rglob("*.tmp"))
    for one in load_runs(outputs)[0]:
        one.check()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """On one the stacks run in this process, one after the other; on more in processes."""
    old = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(old)


def after(monkeypatch: Patch, cells: int, act: Callable[[], None]) -> None:
    """Once only, acts when so many cells have been heard of."""
    original = mine.running.run.run

    def stream(*args: Any, **options: Any) -> Iterator[Event]:
        done = 0
        for news in original(*args, **options):
            yield news
            done += isinstance(news, Done)
            if isinstance(news, Done) and done == cells:
                monkeypatch.setattr(mine.running.run, "run", original)
                act()

    monkeypatch.setattr(mine.running.run, "run", stream)


def interrupt() -> None:
    raise KeyboardInterrupt


def break_at(monkeypatch: Patch, *rho: float, message: str = "no such sample") -> None:
    """Cells of these rho raise when they ask for samples."""
    sample = CorrelatedGaussian.sample

    def broken(task: CorrelatedGaussian, n: int, generator: torch.Generator) -> Any:
        if task.rho in rho:
            raise RuntimeError(message)
        return sample(task, n, generator)

    monkeypatch.setattr(CorrelatedGaussian, "sample", broken)


def say_command(monkeypatch: Patch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["experiments", *words])
    return command()


def curves_in(outputs: Path) -> bytes:
    return (the_run(outputs).folder / "curves.parquet").read_bytes()
