"""A run in its own process, to which things are done; and the comparison of its rows.

A result is lost where a row that was on disk is gone, or a cell has no row at the end. It is wrong
where a row or its curve differs by a bit from that of a run that nothing happened to.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from experiments.suite.store.runs import Run

Note = Callable[..., None]
INJECT = Path(__file__).with_name("inject.py")
ROOT = INJECT.parents[2]
GRID = (
    "experiment=gaussian", "scale=smoke", "experiment.rho=[0.3,0.5]", "~experiment.panels.high",
    "experiment.methods=[ksg,mine]", "experiment.panels.scalar.seeds=4", "train.steps=6000",
    "device=cpu", "threads=2", "checkpoint_seconds=0.2",
)  # fmt: skip
CELLS = 16
TRAINED = 8


def start(outputs: Path, *overrides: str, fault: str = "none") -> subprocess.Popen[str]:
    command = [sys.executable, str(INJECT), fault, *GRID, *overrides, f"outputs={outputs}"]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def complete(outputs: Path, *overrides: str, fault: str = "none") -> tuple[int, str, str]:
    """Runs to the end: the exit status, stdout and stderr (without the progress bar)."""
    code, out, err = finish(start(outputs, *overrides, fault=fault))
    return code, out, "".join(line for line in err.splitlines(True) if "step/s" not in line)


def the_run(outputs: Path) -> Run:
    (folder,) = (p.parent for p in outputs.glob("*/*/config.yaml"))
    return Run(folder)


def rows(outputs: Path) -> pd.DataFrame:
    return rows_of(the_run(outputs))


def rows_of(run: Run) -> pd.DataFrame:
    """A run's rows by the cell's key, each with its curve."""
    curves = {key: str(some.to_dict("list")) for key, some in run.read_curves().groupby("key")}
    found = run.read_rows().drop(columns=["seconds", "run_id", "commit"])
    return found.assign(curve=[curves.get(key, "") for key in found["key"]]).set_index("key")


def compare(found: pd.DataFrame, wanted: pd.DataFrame) -> tuple[int, int]:
    """(lost, wrong)."""
    lost = len(wanted.index.difference(found.index))
    both = found.index.intersection(wanted.index)
    differs = [not found.loc[key].equals(wanted.loc[key]) for key in both]
    return lost, sum(differs)


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    give_up = time.monotonic() + 300
    while not condition():
        assert process.poll() in (None, 0), process.communicate()
        assert time.monotonic() < give_up
        time.sleep(0.02)


def kept_states(outputs: Path) -> list[Path]:
    return sorted(outputs.glob("*/*/checkpoints/*-*.json"))


def kill(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def steps_taken_up(outputs: Path) -> int:
    """How many stacks went on from a checkpoint, by the run's log."""
    return the_run(outputs).log.read_text().count("goes on from")


def last_status(outputs: Path) -> bytes:
    """Of a run that has begun to train: its status, as soon as that tells of steps."""
    for path in outputs.glob("*/*/status.json"):
        return path.read_bytes()
    return b'"steps_done": 0'


def stopped_amid(outputs: Path) -> None:
    """A run that was stopped with states of its stacks and some rows, KSG's."""
    process = start(outputs, fault="forecast_that_fails")
    wait_for(lambda: len(kept_states(outputs)) > 3 and len(rows(outputs)) > 2, process)
    process.terminate()
    assert finish(process)[0] == 143
