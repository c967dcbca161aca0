"""Jobs: a config's objects are made from allowed targets only, and errors say why."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from experiments.suite.run.command import CONFIGS
from experiments.suite.run.jobs import build, prepare
from experiments.suite.run.running import run_experiment
from experiments.suite.run.targets import ConfigError


def config_of(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        plain = OmegaConf.to_container(
            compose("config", list(overrides)), resolve=True, throw_on_missing=True
        )
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


EVIL = "evil_module_of_a_config"
FOREIGN = [
    *("os.system", "builtins.eval", "subprocess.run", f"{EVIL}.boom", "mine", "minefield.Task"),
    *("torch.load", "torch.optimism.Adam", "hydra.utils.instantiate", ""),
    *(
        "experiments.suite.store.files.os.system",
        "mine.tasks.normal.math.exp",
        "mine.running.candidates.torch.load",
    ),
]


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that leaves a trace where it is imported."""
    (tmp_path / f"{EVIL}.py").write_text("def boom(**_): ...\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("evil")
@pytest.mark.parametrize("target", FOREIGN)
def test_a_foreign_target_is_refused_before_it_is_imported(target: str) -> None:
    bad = {"_target_": target, "command": "exit"}
    warped = {"_target_": "mine.tasks.Warped", "base": bad}
    for config in (bad, warped, [bad], {"a": {"b": [{"c": bad}]}}):
        with pytest.raises(ConfigError, match=f"got '{re.escape(target)}': put your class"):
            build(config)
    assert EVIL not in sys.modules


@pytest.mark.usefixtures("evil")
@pytest.mark.parametrize("where", ["train", "critic", "task"])
def test_a_run_with_a_foreign_target_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    from experiments import gaussian

    config = {**config_of("scale=smoke"), "outputs": str(tmp_path / "outputs")}
    if where == "task":
        cells = prepare(config)[0]
        cells[0].task["_target_"] = f"{EVIL}.boom"
        monkeypatch.setattr(gaussian, "cells", lambda _: cells)
    else:
        config[where] = {**config[where], "_target_": f"{EVIL}.boom"}
    with pytest.raises(ConfigError, match=f"got '{EVIL}.boom'"):
        run_experiment(config, "")
    assert EVIL not in sys.modules
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"_target_": "mine.tasks.Nothing"}, "a class that is there, got 'mine.tasks.Nothing'"),
        ({"_target_": "mine.nowhere.Task"}, "a class that is there, got 'mine.nowhere.Task'"),
        (
            {"_target_": "experiments.suite.report.command.main"},
            "a class, got 'experiments.suite.report.command.main': make",
        ),
        ({"_target_": "mine.tasks.CorrelatedGaussian", "rh": 1}, "unexpected .*'rh': .*--help"),
        ({"_target_": "mine.tasks.CorrelatedGaussian", "rho": 2}, "expected rho .* got 2: .*take"),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_made_says_why(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(config)


def test_what_may_be_named_is_made() -> None:
    task = {"_target_": "mine.tasks.CorrelatedGaussian", "dim": 3, "rho": 0.5}
    assert build(task).dim == 3
    optimizer = build({"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5})
    assert optimizer.keywords == {"lr": 0.5}
