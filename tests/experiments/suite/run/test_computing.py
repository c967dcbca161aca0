"""Computing cells: what is said, the order of stacks, and cells that fail or diverge."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tiny_run import (
    CELLS,
    FORECAST,
    UNTIMED,
    Patch,
    after,
    assert_same_bits,
    break_at,
    interrupt,
    rows_in,
    run_in,
    the_run,
)

import mine.critics.mlp
import mine.running.forecast
from experiments.suite.run.exits import FAILED, INTERRUPTED, OK
from experiments.suite.store.table_bytes import csv_bytes

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_plan_goes_to_stdout_and_progress_to_stderr(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)
    assert run_in(tmp_path, "experiment.rho=[0.5]") == OK
    plan, end = capsys.readouterr().out.splitlines()
    name = f"gaussian {the_run(tmp_path).run_id}"
    assert plan.startswith(f"{name}: 6 cells, 6 stacks, 24 network-steps on cpu, about ")
    assert end.startswith(f"{name}: 6 ok, 0 diverged, 0 failed, in ")
    bar = terminal.getvalue()
    assert "24.0/24.0" in bar and "step/s" in bar and "mean error" in bar and "nats" in bar
    log = the_run(tmp_path).log.read_text()
    assert plan in log and end in log


def test_a_run_says_where_a_panel_has_a_critic_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = "experiment.panels.high.critic"
    assert run_in(tmp_path, "experiment.rho=[0.5]", f"+{own}={{hidden:[4]}}") == OK
    said = capsys.readouterr().out.splitlines()[0]
    assert said == f"panel high has a critic of its own: hidden=[4] ({own})"
    rows = the_run(tmp_path).read_rows()
    has = rows["params"].str.contains("hidden")
    assert set(rows[["role", "method"]][has].itertuples(index=False, name=None)) == {
        *(("high", method) for method in ("dv", "mine"))
    }


def test_the_longest_stacks_begin_first(
    tmp_path: Path, monkeypatch: Patch, asked: list[tuple[str, float]]
) -> None:
    seconds = {"ksg": 2.0, "mine": 1.0, "dv": 3.0}
    monkeypatch.setattr(
        mine.running.forecast,
        "forecast",
        lambda jobs, of, *_: [seconds[jobs[i].method.name] for i, *_ in of],
    )
    assert run_in(tmp_path, "experiment.rho=[0.3,0.9]") == OK
    assert [method for method, _ in asked] == ["dv"] * 4 + ["ksg"] * 4 + ["mine"] * 4


def test_a_stack_that_is_too_large_is_halved_and_the_status_says_so(
    uninterrupted: Path, tmp_path: Path, monkeypatch: Patch
) -> None:
    """By the allocator's own error; also where the run was stopped since then."""
    stack = mine.critics.MLP.stack

    def greedy(self: Any, dx: int, dy: int, generators: Any, device: Any) -> Any:
        torch.empty(len(generators) << 58 if len(generators) > 2 else 1)
        return stack(self, dx, dy, generators, device)

    monkeypatch.setattr(mine.critics.MLP, "stack", greedy)
    after(monkeypatch, 4, interrupt)
    assert run_in(tmp_path) == INTERRUPTED
    assert run_in(tmp_path) == OK
    halved = the_run(tmp_path).read_status()["halved"]
    assert [one["cells"] for one in halved] == [3, 3, 3, 3]
    assert all("alloc" in one["reason"] for one in halved)
    rows, whole = rows_in(tmp_path), rows_in(uninterrupted)
    measured = ["nats", "stderr", "train_nats"]  # one of three is left alone
    pd.testing.assert_frame_equal(rows[measured], whole[measured], rtol=0, atol=1e-5)


def test_a_cell_that_raises_is_a_failed_row_and_its_neighbours_are_what_they_are_without_it(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mine.running.forecast, "forecast", FORECAST)
    break_at(monkeypatch, 0.3, message="no such sample\nframe #0: somewhere in C++")
    both, alone = tmp_path / "both", tmp_path / "alone"
    assert run_in(both) == FAILED
    assert run_in(alone, "experiment.rho=[0.5,0.9]") == OK
    rows = rows_in(both)
    failed = rows[rows["status"] == "failed"]
    assert set(failed["params"]) == {'{"dim": 1, "rho": 0.3}', '{"dim": 3, "rho": 0.3}'}
    assert len(failed) == CELLS / 3
    assert set(failed["reason"]) == {"RuntimeError: no such sample"}
    assert failed["nats"].isna().all() and (failed["truth"] > 0).all()
    neighbours = rows[rows["status"] == "ok"].reset_index(drop=True)
    assert_same_bits(neighbours, rows_in(alone))
    said = capsys.readouterr()
    assert said.err == "experiments: 6 failed: RuntimeError: no such sample\n"
    assert "for an unknown time" in said.out  # the forecast tries the first cell of a kind
    assert "12 ok, 0 diverged, 6 failed" in said.out
    status = the_run(both).read_status()
    assert (status["state"], status["done"], status["failed"]) == ("failed", CELLS, 6)
    assert "frame #0" in the_run(both).log.read_text()


def test_only_the_failed_cells_are_tried_again(
    uninterrupted: Path, tmp_path: Path, monkeypatch: Patch
) -> None:
    with monkeypatch.context() as broken:
        break_at(broken, 0.9)
        assert run_in(tmp_path) == FAILED
    first = rows_in(tmp_path)
    well = first[first["status"] == "ok"]
    with monkeypatch.context() as slow:
        slow.setattr(time, "monotonic", lambda: 1e6)  # a row computed anew would take 0 s
        assert run_in(tmp_path) == OK
    rows = rows_in(tmp_path)
    kept = rows[rows["key"].isin(well["key"])]
    assert len(kept) == 2 / 3 * CELLS
    assert csv_bytes(kept) == csv_bytes(well)
    assert (rows.loc[~rows["key"].isin(well["key"]), "seconds"] == 0).all()
    # Trained alone, after its stack was halved, a cell is rounded otherwise in its last digits.
    whole = rows_in(uninterrupted)
    measured = ["nats", "stderr", "train_nats"]
    pd.testing.assert_frame_equal(rows[measured], whole[measured], rtol=0, atol=1e-5)
    rest = [name for name in UNTIMED if name not in (*measured, "warnings")]
    pd.testing.assert_frame_equal(rows[rest], whole[rest])


def test_a_diverged_cell_is_a_row_and_the_run_is_finished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_in(tmp_path, "train.learning_rate=1e30", "experiment.methods=[dv,ksg]") == OK
    rows = rows_in(tmp_path)
    diverged = rows[rows["method"] == "dv"]
    assert set(diverged["status"]) == {"diverged"}
    assert (diverged["step_diverged"] >= 0).all() or diverged["nats"].isna().all()
    assert diverged["reason"].str.startswith("diverged: the training turned non-finite").all()
    assert set(rows.loc[rows["method"] == "ksg", "status"]) == {"ok"}
    status = the_run(tmp_path).read_status()
    assert (status["state"], status["diverged"], status["failed"]) == ("finished", 6, 0)
    assert "6 ok, 6 diverged, 0 failed" in capsys.readouterr().out
