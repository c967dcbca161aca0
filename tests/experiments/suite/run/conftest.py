"""Fixtures of the runner's tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tiny_run import Patch, run_in, threads

import mine.critics.mlp
import mine.running.run
from experiments.suite.run.exits import OK
from mine.running.events import Event


@pytest.fixture
def one_thread(no_forecast: None, monkeypatch: Patch) -> Iterator[None]:
    """One thread, and no forecast: its times would order the stacks.

    The environment variable that the command sets is set back afterwards.
    """
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with threads(1):
        yield


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of one whole run."""
    outputs = tmp_path_factory.mktemp("uninterrupted")
    with threads(1):
        assert run_in(outputs) == OK
    return outputs


@pytest.fixture
def asked(monkeypatch: Patch) -> list[tuple[str, float]]:
    """(method, rho) of every cell that was computed from here on."""
    found: list[tuple[str, float]] = []
    stack_of = mine.running.run.run_stack

    def spy(jobs: Sequence[Any], stack: tuple[int, ...], *rest: Any) -> Iterator[Event]:
        found.extend((jobs[i].method.name, jobs[i].source.task.rho) for i in stack)
        return stack_of(jobs, stack, *rest)

    monkeypatch.setattr(mine.running.run, "run_stack", spy)
    return found
