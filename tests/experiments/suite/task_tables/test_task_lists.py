"""The named tasks of configs/tasks: each builds, has a truth, and can be sampled."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from experiments.suite.run.command import CONFIGS
from experiments.suite.run.jobs import build

LISTS = {path.stem: path for path in sorted((CONFIGS / "tasks").glob("*.yaml"))}


def named(stem: str) -> dict[str, dict[str, Any]]:
    found = OmegaConf.to_container(OmegaConf.load(LISTS[stem]))
    assert isinstance(found, dict)
    return {str(name): task for name, task in found.items()}


EACH = [
    pytest.param(task, name.startswith("independent"), id=f"{s}-{name}")
    for s in LISTS
    for name, task in named(s).items()
]


@pytest.mark.parametrize(("config", "independent"), EACH)
def test_every_named_task_has_a_truth_and_samples(
    config: dict[str, Any], independent: bool
) -> None:
    task = build(config)
    assert 0 < task.mi < 8 or (independent and task.mi == 0)
    assert getattr(task, "mi_stderr", 0.0) < 0.003
    x, y = task.sample(200, torch.Generator().manual_seed(0))
    assert x.shape == (200, task.dim_x) and y.shape == (200, task.dim_y)
    assert x.isfinite().all() and y.isfinite().all()
    assert task.log_ratio(x, y).isfinite().all()


def test_the_benchmark_has_forty_tasks_or_more_and_no_two_alike() -> None:
    tasks = [build(config) for config in named("benchmark").values()]
    assert len(tasks) >= 40
    assert len(set(tasks)) == len(tasks)


@pytest.mark.parametrize(
    ("name", "nats"),
    [
        ("normal-1", 0.4133),
        ("additive-0.1", 1.7094),
        ("additive-0.75", 0.3333),
        ("student-1-dof-1", 0.2242),
        ("dense-50", 1.6243),
        ("spiral-uniform-sparse-25", 1.0217),
        ("asinh-student-5-dof-2", 0.4482),
    ],
)
def test_a_benchmark_truth_is_the_one_worked_out(name: str, nats: float) -> None:
    assert build(named("benchmark")[name]).mi == pytest.approx(nats, abs=5.1e-5)


def test_an_experiment_takes_a_list_by_one_line_of_its_defaults(tmp_path: Path) -> None:
    configs = shutil.copytree(CONFIGS, tmp_path / "configs")
    (configs / "experiment" / "trial.yaml").write_text(
        "# @package _global_\ndefaults:\n  - /tasks@experiment.tasks: benchmark\n  - _self_\n"
        "experiment: {name: trial}\n"
    )
    with initialize_config_dir(version_base="1.3", config_dir=str(configs)):
        config = compose("config", ["experiment=trial"])
        other = compose("config", ["experiment=trial", "tasks@experiment.tasks=discrete"])
    assert OmegaConf.to_container(config.experiment.tasks) == named("benchmark")
    assert OmegaConf.to_container(other.experiment.tasks) == named("discrete")
