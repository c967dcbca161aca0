"""What runs will take, said before they begin."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_run import CELLS, TINY, Patch, config_in, run_in, say_command

import mine.running.forecast
from experiments.suite.run.exits import BAD_INPUT, OK
from experiments.suite.run.outlook import Outlook, outlook_of, total

pytestmark = pytest.mark.usefixtures("one_thread")


@contextmanager
def no_launch(monkeypatch: Patch) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise AssertionError("a run began")

    monkeypatch.setattr("experiments.suite.run.command.run_experiment", refuse)
    yield


def test_a_forecast_of_a_sweep_has_a_line_for_each_run_and_begins_none(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--forecast", "-m", *TINY, "train.learning_rate=1e-3,2e-3", f"outputs={tmp_path}")
    with no_launch(monkeypatch):
        assert say_command(monkeypatch, *words, "hydra/launcher=joblib") == OK
    head, first, second, all_of_it, hint = capsys.readouterr().out.splitlines()
    assert head.split() == ["experiment", "cells", "network-steps", "time"]
    assert first == second and first.split()[:3] == ["gaussian", str(CELLS), "72"]
    assert all_of_it.split()[:2] == ["all", str(2 * CELLS)]
    assert "EXPERIMENTS=" in hint
    assert not list(tmp_path.rglob("status.json"))


def test_what_is_finished_takes_no_time(tmp_path: Path) -> None:
    assert run_in(tmp_path) == OK
    found = outlook_of(config_in(tmp_path))
    assert (found.cells, found.steps) == (0, 0) and "finished before" in str(found)
    assert total([found]) == "Nothing is left to do."


def test_the_whole_is_the_sum_and_says_what_is_unknown() -> None:
    known, unknown = Outlook("a", 2, 10, 100.0), Outlook("b", 1, 5, math.nan)
    assert "about 3 min 20 s" in total([known, known]) and "unknown" not in total([known])
    assert "about 1 min 40 s and what is unknown" in total([known, unknown])
    assert str(unknown).endswith("unknown")


def test_a_run_that_cannot_be_tried_has_an_unknown_time(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no such sample")

    monkeypatch.setattr(mine.running.forecast, "forecast", fail)
    assert math.isnan(outlook_of(config_in(tmp_path)).seconds)


def test_bad_input_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--forecast", *TINY, "scale.seeds=-1", f"outputs={tmp_path}")
    assert say_command(monkeypatch, *words) == BAD_INPUT
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "scale.seeds" in err and "got -1" in err
