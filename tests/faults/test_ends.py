"""A run survives being killed, stopped by a signal, and run by four processes at once."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from faulty_run import (
    Note,
    compare,
    complete,
    finish,
    kept_states,
    kill,
    last_status,
    rows,
    rows_of,
    start,
    steps_taken_up,
    the_run,
    wait_for,
)

from experiments.suite.store.runs import Run

pytestmark = pytest.mark.faults
KILLS = 20


def test_kill_9_at_random_moments(whole: pd.DataFrame, tmp_path: Path, note: Note) -> None:
    """As many times as it takes; a run that got to its end begins anew."""
    moments, taken_up, outputs = random.Random(1), 0, tmp_path / "0"
    fault = "kill -9 at a random moment"
    for trial in range(KILLS):
        process = start(outputs)
        if trial % 2:  # every other time amid training, the rest wherever it is
            wait_for(lambda at=outputs, one=process: kept_states(at) or one.poll() == 0, process)
        time.sleep(moments.uniform(0.0, 2.0 if trial % 2 else 8.0))
        before = rows_so_far(outputs, whole)
        if process.poll() is None:
            kill(process)
        else:
            process.communicate()
        after = rows_so_far(outputs, whole)
        note(fault, compare(after, before)[0], compare(after, whole)[1])
        if process.returncode == 0:
            note(fault, *compare(after, whole), tried=0)
            taken_up += steps_taken_up(outputs)
            outputs = tmp_path / str(trial + 1)
    code, _, err = complete(outputs)
    assert code == 0, err
    note(fault, *compare(rows(outputs), whole), tried=0)
    assert taken_up + steps_taken_up(outputs) > 0


def rows_so_far(outputs: Path, whole: pd.DataFrame) -> pd.DataFrame:
    return rows(outputs) if list(outputs.glob("*/*/rows.parquet")) else whole[:0]


def test_kill_9_inside_the_write_of_a_checkpoint(
    whole: pd.DataFrame, tmp_path: Path, note: Note
) -> None:
    code, _, _ = complete(tmp_path, fault="killed_inside_a_checkpoint")
    assert code == -signal.SIGKILL
    assert list(tmp_path.glob("*/*/checkpoints/.*.half.tmp"))
    time.sleep(1)  # for its other process, which has no one to tell, to see that
    code, _, err = complete(tmp_path)
    assert code == 0, err
    note("kill -9 inside a checkpoint's write", *compare(rows(tmp_path), whole))
    assert not list(tmp_path.glob("*/*/checkpoints"))


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        (signal.SIGHUP, 129),
        (signal.SIGXCPU, 152),
        (signal.SIGUSR1, 138),
    ],
)
@pytest.mark.parametrize("group", [True, False], ids=["all of its processes", "itself alone"])
def test_signals_are_answered(
    number: signal.Signals, code: int, group: bool, whole: pd.DataFrame, tmp_path: Path,
    note: Note,
) -> None:  # fmt: skip
    process = start(tmp_path, "checkpoint_seconds=1000")
    wait_for(lambda: b'"steps_done": 0' not in last_status(tmp_path), process)
    assert not kept_states(tmp_path)
    (os.killpg if group else os.kill)(process.pid, number)
    found, out, err = finish(process)
    assert found == code
    (line,) = (line for line in out.splitlines() if "stopped" in line)
    assert f"stopped by {number.name}: " in line and "the same command goes on" in line
    assert "Traceback" not in err
    assert kept_states(tmp_path)
    assert the_run(tmp_path).read_status()["state"] == "stopped"
    assert complete(tmp_path)[0] == 0
    assert steps_taken_up(tmp_path) > 0
    note(number.name, *compare(rows(tmp_path), whole))


def test_a_worker_at_its_limit_of_cpu_seconds_stops_the_run(
    whole: pd.DataFrame, tmp_path: Path, note: Note
) -> None:
    """The limit counts for each process, and the workers use the most."""
    process = start(tmp_path, "train.steps=400000", fault="limit_of_cpu_seconds")
    code, out, err = finish(process)
    assert code == 152, err
    assert "stopped by SIGXCPU: " in out and "the same command goes on" in out
    assert kept_states(tmp_path) and "Traceback" not in err
    note("CPU limit of a worker", 0, 0)


def test_the_same_sweep_by_four_processes(whole: pd.DataFrame, tmp_path: Path, note: Note) -> None:
    sweep = ("-m", "estimator.partners=9,10", "experiment.methods=[mine]", "threads=1")
    four = [start(tmp_path, *sweep) for _ in range(4)]
    ends = [finish(process) for process in four]
    assert {code for code, _, _ in ends} <= {0, 3}
    refused = [err for code, _, err in ends if code == 3]
    assert refused and all("held by process" in err and "since" in err for err in refused)
    runs = [Run(p.parent) for p in tmp_path.glob("*/*/config.yaml")]
    assert len(runs) == 2 and all(one.finished for one in runs)
    alone = tmp_path / "alone"
    assert complete(alone, "estimator.partners=9", "experiment.methods=[mine]")[0] == 0
    wanted = {9: rows(alone), 10: whole[whole["method"] == "mine"]}
    for one in runs:
        partners = one.read_config()["estimator"]["partners"]
        note("four processes at once", *compare(rows_of(one), wanted[partners]), tried=2)
