"""A run from its beginning to its end: its rows, and when it is found and not redone.

Most tests call the runner in this process, on one thread and a grid of eighteen tiny cells.
Figures, which test_configs.py draws, are left out.
"""

from __future__ import annotations

import json
import math
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_run import (
    CELLS,
    TINY,
    Patch,
    assert_same_bits,
    config_in,
    config_of,
    contents,
    curves_in,
    interrupt,
    rows_in,
    run_in,
    say_command,
    the_run,
    threads,
)

from experiments.suite.figures import drawing
from experiments.suite.report.command import main
from experiments.suite.run.exits import FAILED, INTERRUPTED, OK
from experiments.suite.run.jobs import prepare
from experiments.suite.store.identity import run_id
from experiments.suite.store.joined import load_runs
from experiments.suite.store.runs import Run

pytestmark = pytest.mark.usefixtures("one_thread")


def test_rows_say_what_was_asked_and_what_came(uninterrupted: Path) -> None:
    cells, jobs = prepare(config_in(uninterrupted))
    rows = rows_in(uninterrupted)
    assert list(rows["key"]) == [cell.key for cell in cells]
    assert len(rows) == CELLS
    for row, cell, job in zip(rows.to_dict("records"), cells, jobs, strict=True):
        assert (row["method"], row["seed"], row["role"]) == (cell.method, cell.seed, cell.role)
        assert row["task"] == "CorrelatedGaussian"
        assert json.loads(row["params"]) == {"dim": row["dim"], "rho": cell.task["rho"]}
        assert row["truth"] == job.source.task.mi  # type: ignore[union-attr]
        assert (row["status"], row["reason"], row["step_diverged"]) == ("ok", "", -1)
        assert math.isfinite(row["nats"]) and row["stderr"] >= 0
        assert math.isnan(row["train_nats"]) == (cell.method == "ksg")
        assert row["steps"] == cell.steps == {"ksg": 0}.get(cell.method, job.training.steps)
        ksg = (60, 60)
        stream = (16 * cell.steps, 100)
        assert (row["n_train"], row["n_test"]) == (ksg if cell.method == "ksg" else stream)
        assert row["run_id"] == the_run(uninterrupted).run_id and row["device"] == "cpu"
        assert 0 < row["seconds"] < 60


def test_the_status_and_the_provenance_say_how_the_run_went(uninterrupted: Path) -> None:
    status = the_run(uninterrupted).read_status()
    counts = ("state", "cells", "done", "failed", "diverged", "command")
    assert [status[key] for key in counts] == ["finished", CELLS, CELLS, 0, 0, "the command"]
    assert status["seconds"] > 0 and status["started"] <= status["updated"]
    provenance = the_run(uninterrupted).read_provenance()
    assert provenance["device"] == "cpu" and provenance["seed"] == 0
    assert provenance["packages"]["torch"] == torch.__version__


def test_a_finished_run_is_found_and_not_redone(
    uninterrupted: Path, capsys: pytest.CaptureFixture[str], asked: list[Any]
) -> None:
    before = contents(the_run(uninterrupted).folder)
    del before[str(the_run(uninterrupted).folder / "config.yaml")]
    assert run_in(uninterrupted) == OK
    assert f"finished before, {CELLS} cells in" in capsys.readouterr().out
    assert asked == []
    assert before.items() <= contents(the_run(uninterrupted).folder).items()


def test_a_config_that_asks_for_something_else_is_another_run(tmp_path: Path) -> None:
    few = ("experiment.methods=[ksg]", "experiment.rho=[0.5]")
    assert run_in(tmp_path, *few) == OK
    first = the_run(tmp_path)
    assert run_in(tmp_path, *few, "estimator.k=4") == OK
    (other,) = [one for one in load_runs(tmp_path)[0] if one.run_id != first.run_id]
    assert (first.read_rows()["nats"] != other.read_rows()["nats"]).all()


def test_neither_the_outputs_folder_nor_the_threads_change_a_bit(tmp_path: Path) -> None:
    more = "experiment.rho=[-0.9,0.1,0.3,0.5,0.9]"  # on two threads, two stacks of each kind
    one, two, again = (tmp_path / name for name in ("one", "two", "again"))
    for outputs, count in ((one, 1), (again, 1), (two, 2)):
        with threads(count):
            assert run_in(outputs, more) == OK
            assert torch.get_num_threads() == count
    for outputs in (again, two):
        assert the_run(outputs).run_id == the_run(one).run_id
        assert_same_bits(rows_in(outputs), rows_in(one))
        assert curves_in(outputs) == curves_in(one)


def test_a_cell_asked_for_twice_is_one_cell(tmp_path: Path) -> None:
    few = ("experiment.methods=[ksg,ksg]", "experiment.rho=[0.5,0.5]")
    assert run_in(tmp_path, *few) == OK
    assert len(rows_in(tmp_path)) == 2


def test_a_grid_that_grows_computes_its_new_cells_only(
    tmp_path: Path, asked: list[tuple[str, float]]
) -> None:
    """Another grid is another run; equal cells are taken over, with their curves."""
    small = ("experiment.rho=[0.5,0.9]",)
    assert run_in(tmp_path, *small) == OK
    (first,) = (Run(p.parent) for p in tmp_path.glob("*/*/config.yaml"))
    before = first.read_rows()
    asked.clear()
    assert run_in(tmp_path, "experiment.rho=[0.3,0.5,0.9]") == OK
    assert {rho for _, rho in asked} == {0.3}
    (second,) = (
        Run(p.parent) for p in tmp_path.glob("*/*/config.yaml") if p.parent.name != first.run_id
    )
    rows = second.read_rows()
    assert len(rows) == CELLS and set(rows["run_id"]) == {second.run_id}
    kept = rows[rows["key"].isin(before["key"])].reset_index(drop=True)
    assert_same_bits(kept.drop(columns="run_id"), before.drop(columns="run_id"))
    assert set(kept["key"]) & set(second.read_curves()["key"])
    asked.clear()
    assert run_in(tmp_path, "experiment.rho=[0.9]", "estimator.partners=3") == OK
    assert {rho for _, rho in asked} == {0.9}  # another estimator: nothing is taken over


def test_a_signal_at_the_very_end_leaves_a_whole_run_and_ends_the_sweep(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drawing, "draw_run", lambda _: signal.raise_signal(signal.SIGTERM))
    few = ("experiment.methods=[ksg]", "experiment.rho=[0.5]", f"outputs={tmp_path}")
    words = (*TINY, *few, "figures=true", "-m", "estimator.k=3,4")
    assert say_command(monkeypatch, *words) == 143
    assert the_run(tmp_path).finished
    assert "stopped by SIGTERM: the run was at its end, and is whole" in capsys.readouterr().out


def test_a_run_without_its_figures_is_not_finished(
    tmp_path: Path, monkeypatch: Patch, asked: list[Any]
) -> None:
    few = ("experiment.methods=[ksg]", "experiment.rho=[0.5]", "figures=true")
    monkeypatch.setattr(drawing, "draw_run", lambda _: interrupt())
    assert run_in(tmp_path, *few) == INTERRUPTED
    assert the_run(tmp_path).read_status()["state"] == "stopped"
    asked.clear()
    states: list[str] = []  # while it is drawn: a process killed there must draw again
    monkeypatch.setattr(drawing, "draw_run", lambda r: states.append(r.read_status()["state"]))
    assert run_in(tmp_path, *few) == OK
    assert asked == [] and states == ["running"]
    assert the_run(tmp_path).finished


def test_figures_are_left_to_the_report_where_the_config_says_so(tmp_path: Path) -> None:
    few = ("experiment.methods=[ksg]", "experiment.rho=[0.5]")
    assert run_in(tmp_path, *few) == OK
    assert the_run(tmp_path).finished and not the_run(tmp_path).figures.exists()
    assert main(["--outputs", str(tmp_path), "--scale", "smoke"]) == 0
    assert (tmp_path / "figures" / "gaussian_scalar_1d.svg").is_file()


def test_figures_that_raise_are_one_line_and_status_1_and_the_rows_are_whole(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    def clumsy(_: Run) -> None:
        raise ValueError("no\nink")

    few = ("experiment.methods=[ksg]", "experiment.rho=[0.5]", "figures=true")
    monkeypatch.setattr(drawing, "draw_run", clumsy)
    assert run_in(tmp_path, *few) == FAILED
    said = capsys.readouterr().err
    assert said.startswith("experiments: no figures: ValueError: no ink (test_running.py:")
    assert said.count("\n") == 1 and "make report" in said
    assert "Traceback" in the_run(tmp_path).log.read_text()
    assert the_run(tmp_path).finished and len(rows_in(tmp_path)) == 2


def test_a_log_that_cannot_be_written_does_not_stop_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("experiment.methods=[ksg]", "experiment.rho=[0.5]")
    (tmp_path / "gaussian" / run_id(config_of(*few)) / "run.log").mkdir(parents=True)
    assert run_in(tmp_path, *few) == OK
    assert capsys.readouterr().err == ""
