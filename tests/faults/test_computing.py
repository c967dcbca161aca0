"""A run survives bad tasks, diverging cells, memory that runs out, and a jumping clock."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest
from faulty_run import Note, compare, complete, finish, kept_states, rows, start, the_run, wait_for

from experiments.suite.report import status
from experiments.suite.store.holder import read

pytestmark = pytest.mark.faults


@pytest.mark.parametrize(
    ("fault", "reason", "overrides"),
    [
        ("task_that_raises", "LookupError: no such file of samples", ()),
        ("task_that_hangs", "no news for more than its time limit", ("time_limit=4",)),
        ("task_that_gives_nan", "expected finite samples", ()),
    ],
)
def test_a_task_that_misbehaves(
    fault: str, reason: str, overrides: tuple[str, ...], whole: pd.DataFrame, tmp_path: Path,
    note: Note,
) -> None:  # fmt: skip
    code, _, err = complete(
        tmp_path, *overrides, "experiment.methods=[mine]", "experiment.panels.scalar.seeds=2",
        fault=fault,
    )  # fmt: skip
    assert code == 1
    assert reason in err and "Traceback" not in err
    found = rows(tmp_path)
    failed = found[found["status"] == "failed"]
    assert len(failed) == 2 and failed["params"].str.contains("0.5").all()
    assert failed["reason"].str.contains(reason).all()
    healthy = found[found["status"] == "ok"]
    note(fault.replace("_", " "), 2 - len(healthy), compare(healthy, whole)[1])


def test_a_cell_that_diverges_leaves_its_neighbours(
    whole: pd.DataFrame, tmp_path: Path, note: Note
) -> None:
    code, _, err = complete(tmp_path, "experiment.methods=[mine]", fault="cell_that_diverges")
    assert code == 0, err
    found = rows(tmp_path)
    diverged = found[found["status"] == "diverged"]
    assert set(diverged["seed"]) == {2} and len(diverged) == 2
    neighbours = found[found["status"] == "ok"]
    note("one cell of a stack diverges", 6 - len(neighbours), compare(neighbours, whole)[1])


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("memory_that_runs_out", "alloc"),
        ("memory_of_cuda_that_runs_out", "CUDA out of memory"),
        ("memory_that_runs_out_by_the_systems_killer", "exit code -9: out of memory, perhaps"),
    ],
)
def test_memory_that_runs_out(
    fault: str, reason: str, whole: pd.DataFrame, tmp_path: Path, note: Note
) -> None:
    code, _, err = complete(tmp_path, fault=fault)
    assert code == 0, err
    halved = the_run(tmp_path).read_status()["halved"]
    assert halved and all(reason in one["reason"] for one in halved)
    note(fault.replace("_", " "), *compare(rows(tmp_path), whole))


def test_a_clock_that_jumps_back(whole: pd.DataFrame, tmp_path: Path, note: Note) -> None:
    process = start(tmp_path, "train.steps=6000", fault="clock_that_jumps_back")
    wait_for(lambda: kept_states(tmp_path), process)
    holder = read(the_run(tmp_path).folder / "lock.json")
    assert holder is not None and holder.heartbeat < time.time() - 86_400
    (line,) = status.lines_of(tmp_path, time.time())
    assert line.state == "running"
    code, _, err = complete(tmp_path)  # the holder lives, whatever its clock says
    assert code == 3 and "held by process" in err
    code, _, err = finish(process)
    assert code == 0, err
    note("clock jumps back", *compare(rows(tmp_path), whole))
