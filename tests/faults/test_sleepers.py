"""A holder that sleeps for longer than its heartbeat is taken over, wakes, and harms nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from faulty_run import Note, compare, complete, finish, rows, start, the_run

pytestmark = pytest.mark.faults
SLEEPS = 20
SHORT = ("train.steps=1500",)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The rows of the short run, to which nothing happened."""
    outputs = tmp_path_factory.mktemp("short")
    code, _, err = complete(outputs, *SHORT)
    assert code == 0, err
    return rows(outputs)


def send(process: subprocess.Popen[str], number: signal.Signals) -> None:
    os.killpg(process.pid, number)


def test_sleepers_that_wake_at_random_moments(
    short: pd.DataFrame, tmp_path: Path, note: Note
) -> None:
    """In turn: it wakes while the other works, and after the other has ended."""
    moments, lost_locks = random.Random(2), 0
    for trial in range(SLEEPS):
        outputs = tmp_path / str(trial)
        sleeper = start(outputs, *SHORT, fault="in_a_container")
        while not list(outputs.glob("*/*/lock.json")):
            assert sleeper.poll() is None, sleeper.communicate()
            time.sleep(0.02)
        time.sleep(moments.uniform(0.0, 4.0))
        send(sleeper, signal.SIGSTOP)
        other = start(outputs, *SHORT, fault="outside")
        if trial % 2:
            wait_for_takeover(outputs, other, sleeper.pid)
            time.sleep(moments.uniform(0.0, 2.0))
        else:
            taken = finish(other)
        before = rows(outputs) if list(outputs.glob("*/*/rows.parquet")) else short[:0]
        send(sleeper, signal.SIGCONT)
        code, out, err = finish(sleeper)
        if trial % 2:
            taken = finish(other)
        assert {code, taken[0]} <= {0, 3} and 0 in (code, taken[0]), (code, taken, err)
        assert "Traceback" not in err + taken[2]
        if code == 3:
            lost_locks += 1
            (line,) = [one for one in err.splitlines() if "expected to hold" in one]
            assert "taken over" in line and "ok," not in out
        after = rows(outputs)
        fault = "a sleeper wakes, " + ("after the other" if trial % 2 == 0 else "beside the other")
        note(fault, compare(after, before)[0], 0)
        note(fault, *compare(after, short), tried=0)
        assert the_run(outputs).finished
    assert lost_locks >= SLEEPS // 2


def wait_for_takeover(outputs: Path, other: subprocess.Popen[str], sleeper: int) -> None:
    """Or for the other's end, where there was nothing to take over."""
    from experiments.suite.store.holder import read

    while other.poll() is None:
        found = read(next(iter(outputs.glob("*/*/lock.json")), outputs / "none"))
        if found is not None and found.pid != sleeper:
            return
        time.sleep(0.02)
