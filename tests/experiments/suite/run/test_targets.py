"""Configs from elsewhere: whatever Hydra would make of them, no code of theirs is run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from experiments.suite.run import command as program
from experiments.suite.run import targets
from experiments.suite.run.command import command
from experiments.suite.run.exits import BAD_INPUT, OK

Patch = pytest.MonkeyPatch
HOSTILE = {
    "callback": "hydra:\n  callbacks:\n    x:\n      _target_: pathlib.Path.touch\n      self: {}",
    "launcher": "hydra:\n  launcher:\n    _target_: os.system\n    command: touch {}",
    "job logging": "hydra:\n  job_logging:\n    formatters:\n      x:\n        (): os.system\n"
    "        command: touch {}",
    "handler": "hydra:\n  job_logging:\n    handlers:\n      x:\n        class: os.system",
    "search path": "hydra:\n  searchpath: ['file:///somewhere']",
    "interpolation": "a: os.system\ncritic:\n  _target_: ${{a}}\n  command: touch {}",
    "tag": "critic: !!python/object/apply:os.system ['touch {}']",
    "function of ours": "critic:\n  _target_: experiments.suite.report.command.main\n"
    "  arguments: []",
    "through ours": "train:\n  _target_: experiments.suite.store.files.os.system\n"
    "  command: touch {}",
    "in a list": "tasks:\n- - _target_: os.system\n    command: touch {}",
}


def elsewhere(folder: Path, text: str) -> Path:
    (folder / "experiment").mkdir(parents=True)
    (folder / "experiment" / "theirs.yaml").write_text(f"# @package _global_\n{text}\n")
    return folder


@pytest.mark.parametrize("flag", ["--config-dir=", "--config-di=", "-cd ", "--config-path "])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_config_is_one_line_and_status_2_and_no_code_is_run(
    text: str, flag: str, tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = elsewhere(tmp_path / "configs", text.format(tmp_path / "was-here"))
    words = [*f"{flag}{folder}".split(), "experiment=theirs", f"outputs={tmp_path / 'outputs'}"]
    monkeypatch.setattr(sys, "argv", ["experiments", *words])
    assert command() == BAD_INPUT
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith("experiments: ") and "theirs.yaml: " in said.err
    assert {path.name for path in tmp_path.iterdir()} == {"configs"}


@pytest.mark.filterwarnings("ignore:Callback")
def test_without_the_check_hydra_would_run_it(tmp_path: Path, monkeypatch: Patch) -> None:
    """What the tests above refuse is not refused by anything else."""
    folder = elsewhere(tmp_path / "configs", HOSTILE["callback"].format(tmp_path / "was-here"))
    words = [f"--config-dir={folder}", "experiment=theirs", f"outputs={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["experiments", *words])
    monkeypatch.setattr(program, "check_folders", lambda _: None)
    monkeypatch.setattr(program, "run_experiment", lambda *_: OK)
    command()
    assert (tmp_path / "was-here").exists()


def test_a_config_of_the_users_own_is_run(tmp_path: Path, monkeypatch: Patch) -> None:
    text = (
        "defaults:\n- gaussian\nexperiment:\n  rho: [0.5]\n  methods: [ksg]\nhydra:\n  launcher:\n"
        "    _target_: hydra._internal.core_plugins.basic_launcher.BasicLauncher"
    )
    folder = elsewhere(tmp_path / "configs", text)
    words = ["experiment=theirs", "scale=smoke", "scale.ksg_n=60", "figures=false"]
    words += [f"outputs={tmp_path / 'out'}"]
    monkeypatch.setattr(sys, "argv", ["experiments", f"--config-dir={folder}", *words])
    assert command() == OK


def test_the_folders_that_a_command_line_names_are_found(tmp_path: Path) -> None:
    words = ["-m", "-cd", str(tmp_path), "a=1", "-cn", "x", "-c", "job", "--config-dir=/nowhere"]
    assert targets.folders(words) == [tmp_path, tmp_path]  # as it is, and beside the package
    assert targets.folders(["a=1", "--multirun"]) == []
