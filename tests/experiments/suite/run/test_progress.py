"""A run that was stopped goes on, and ends with the rows of one that was not stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tiny_run import (
    CELLS,
    ROOT,
    TINY,
    Patch,
    after,
    assert_nothing_half_written,
    assert_same_bits,
    curves_in,
    interrupt,
    rows_in,
    run_in,
    the_run,
    threads,
)

import mine.critics.mlp
import mine.running.run
from experiments.suite.run.exits import INTERRUPTED, OK
from experiments.suite.store import checked_tables, runs
from experiments.suite.store.files import write_atomic
from experiments.suite.store.runs import TABLES

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("heard", [4, 5, 6])
def test_a_stopped_run_keeps_what_is_finished_and_goes_on_to_the_same_rows(
    heard: int,
    uninterrupted: Path,
    tmp_path: Path,
    monkeypatch: Patch,
    capsys: pytest.CaptureFixture[str],
    asked: list[tuple[str, float]],
) -> None:
    """Of a stack all rows are kept or none: one cell of three, left alone, would be rounded
    otherwise."""
    after(monkeypatch, heard, interrupt)  # one of KSG, the stack of mine, and some of dv's three
    assert run_in(tmp_path) == INTERRUPTED
    kept = rows_in(tmp_path)
    assert len(kept) == 4
    assert the_run(tmp_path).read_status()["state"] == "stopped"
    assert "stopped by SIGINT: 4 of 18 cells are kept" in capsys.readouterr().out
    assert_nothing_half_written(tmp_path)

    asked.clear()
    assert run_in(tmp_path) == OK
    assert "18 cells, 4 kept from before, 8 stacks" in capsys.readouterr().out
    assert len(asked) == CELLS - 4
    rows = rows_in(tmp_path)
    assert_same_bits(rows, rows_in(uninterrupted))
    assert list(rows.loc[rows["key"].isin(kept["key"]), "seconds"]) == list(kept["seconds"])
    assert curves_in(tmp_path) == curves_in(uninterrupted)
    status = the_run(tmp_path).read_status()
    assert (status["state"], status["done"], status["failed"]) == ("finished", CELLS, 0)


def test_ctrl_c_in_a_process_keeps_the_finished_stacks(
    uninterrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Patch
) -> None:
    long = ("train.steps=1000000", "experiment.rho=[0.5]")  # of the six stacks, KSG's two end
    started = subprocess.Popen(
        [sys.executable, "-m", "experiments", *TINY, *long, "threads=6", f"outputs={tmp_path}"],
        cwd=ROOT, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        give_up = time.monotonic() + 600
        while not any(done_in(path) for path in tmp_path.glob("*/*/status.json")):
            assert started.poll() is None and time.monotonic() < give_up
            time.sleep(0.05)
        os.killpg(started.pid, signal.SIGINT)  # as a terminal does: to the workers too
        out, err = started.communicate(timeout=600)
        with pytest.raises(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)  # none of them is left
    finally:
        started.kill()
        started.communicate()
    assert (started.returncode, err) == (INTERRUPTED, "")
    rows = rows_in(tmp_path)
    assert f"stopped by SIGINT: {len(rows)} of 6 cells are kept" in out
    assert_nothing_half_written(tmp_path)
    whole = rows_in(uninterrupted)  # KSG's cells know nothing of train.steps
    same = whole[whole["key"].isin(rows["key"])]
    assert len(rows) > 0 and set(rows["method"]) == {"ksg"}
    assert_same_bits(rows, same.reset_index(drop=True))

    monkeypatch.setattr(mine.running.run, "run", lambda *_, **__: interrupt())
    assert run_in(tmp_path, *long) == INTERRUPTED  # the same command finds them
    assert f"6 cells, {len(rows)} kept from before" in capsys.readouterr().out


def done_in(status: Path) -> int:
    return int(json.loads(status.read_text())["done"])


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (["rows.parquet"], "the copy before it is used"),
        (["curves.parquet"], "the copy before it is used"),
        (["rows.parquet", "rows.previous.parquet"], "computed again"),
        (["curves.parquet", "curves.previous.parquet"], "computed again"),
    ],
)
def test_rows_that_cannot_be_read_are_computed_again(
    uninterrupted: Path, tmp_path: Path, monkeypatch: Patch, broken: list[str], said: str
) -> None:
    after(monkeypatch, 4, interrupt)
    assert run_in(tmp_path) == INTERRUPTED
    for name in broken:
        (the_run(tmp_path).folder / name).write_bytes(b"PAR1 half of it")
    assert run_in(tmp_path) == OK
    assert_same_bits(rows_in(tmp_path), rows_in(uninterrupted))
    assert curves_in(tmp_path) == curves_in(uninterrupted)
    assert said in the_run(tmp_path).log.read_text()


@pytest.mark.parametrize("name", TABLES)
def test_a_finished_run_whose_table_breaks_computes_what_the_copy_before_lacks(
    uninterrupted: Path, tmp_path: Path, name: str, asked: list[Any]
) -> None:
    shutil.copytree(uninterrupted, tmp_path, dirs_exist_ok=True)
    path = the_run(tmp_path).folder / name
    path.write_bytes(path.read_bytes()[:-9])
    asked.clear()
    assert run_in(tmp_path) == OK
    assert 0 < len(asked) < CELLS
    assert_same_bits(rows_in(tmp_path), rows_in(uninterrupted))
    assert curves_in(tmp_path) == curves_in(uninterrupted)


def test_a_process_that_dies_between_two_tables_loses_no_curve(
    uninterrupted: Path, tmp_path: Path, monkeypatch: Patch
) -> None:
    """At whichever write it dies: no row is kept without its curve."""
    write = write_atomic
    for last in range(3, 36, 4):
        numbers = iter(range(10**6))

        def dying(path: Path, data: Any, numbers: Any = numbers, last: int = last) -> None:
            number = next(numbers)
            if number == last:
                raise KeyboardInterrupt
            if number < last:  # once dead, it writes no more
                write(path, data)

        with monkeypatch.context() as patch:
            for module in (checked_tables, runs):
                patch.setattr(module, "write_atomic", dying)
            with suppress(KeyboardInterrupt):
                run_in(tmp_path)
    assert run_in(tmp_path) == OK
    assert_same_bits(rows_in(tmp_path), rows_in(uninterrupted))
    assert curves_in(tmp_path) == curves_in(uninterrupted)


def test_a_run_taken_up_on_a_machine_of_more_cores_keeps_its_stacks(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = ("experiment.rho=[-0.9,-0.5,-0.3,0.1,0.3,0.5,0.9]", "experiment.methods=[mine]")
    after(monkeypatch, 7, interrupt)
    assert run_in(tmp_path, *grid) == INTERRUPTED
    with threads(3):  # on which seven cells would be three stacks
        assert run_in(tmp_path, *grid) == OK
    assert "14 cells, 7 kept from before, 1 stack," in capsys.readouterr().out
