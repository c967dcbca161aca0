"""Fixtures of the experiments' tests."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import mine.running.forecast
from experiments.suite.run.command import command
from experiments.suite.run.exits import BAD_INPUT


def load(place: str) -> ModuleType:
    """A file under this folder that is no test, as a module of the file's name."""
    path = Path(__file__).parent / f"{place}.py"
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Tests import these by their names.
load("applications_example")
load("suite/run/tiny_run")
load("suite/store/stored_run")
load("suite/report/foreign_folders")


@pytest.fixture(scope="session")
def example() -> ModuleType:
    """The synthetic rows of rows_example.py, which is also a command."""
    return load("rows_example")


@pytest.fixture(scope="session")
def made(example: ModuleType) -> ModuleType:
    """The synthetic sweeps of sweep_example.py, which builds on rows_example.py."""
    return load("sweep_example")


@pytest.fixture
def svg_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are drawn as SVG and not as PDF and PNG too, which takes a third of the time."""
    from experiments.suite.figures import rendering

    monkeypatch.setattr(rendering, "KINDS", {"svg": rendering.KINDS["svg"]})


@pytest.fixture
def no_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stack is foretold a second: the stacks keep their order, and nothing is tried."""
    monkeypatch.setattr(
        mine.running.forecast, "forecast", lambda _, stacks, *__: [1.0] * len(stacks)
    )


@pytest.fixture
def refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs `python -m experiments` with these words: status 2, and the one line on stderr."""

    def refused(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["experiments", *words])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
        assert command() == BAD_INPUT
        (line,) = capsys.readouterr().err.strip().splitlines()
        return line

    return refused
