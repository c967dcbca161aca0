"""A run that is resumed, or grows, after its code has changed: no cell is of other code."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from faulty_run import GRID, ROOT, Note, compare, finish, rows, rows_of, wait_for

from experiments.suite.store.runs import Run

pytestmark = pytest.mark.faults
CHANGED = Path("mine/tasks/normal.py")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the sources, which a test may change."""
    for name in ("mine", "experiments", "configs"):
        shutil.copytree(ROOT / name, tmp_path / "checkout" / name)
    return tmp_path / "checkout"


def change(checkout: Path) -> None:
    """A line that changes no number, but could."""
    path = checkout / CHANGED
    path.write_text(f"{path.read_text()}\n_CHANGED = True\n")


def begin(checkout: Path, outputs: Path, *overrides: str) -> subprocess.Popen[str]:
    words = [*GRID, "figures=false", "train.steps=1500", *overrides, f"outputs={outputs}"]
    return subprocess.Popen(
        [sys.executable, "-m", "experiments", *words], cwd=checkout, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(checkout)},
    )  # fmt: skip


def whole_run(checkout: Path, outputs: Path, *overrides: str) -> tuple[str, pd.DataFrame]:
    code, out, err = finish(begin(checkout, outputs, *overrides))
    assert code == 0, err
    return out, rows(outputs)


def test_a_run_whose_code_changed(checkout: Path, tmp_path: Path, note: Note) -> None:
    """Found, resumed and grown; with keep=other_code nothing is computed again."""
    _, first = whole_run(checkout, tmp_path / "a")
    assert first["code"].nunique() == 1
    stopped = begin(checkout, tmp_path / "b")
    wait_for(lambda: list((tmp_path / "b").glob("*/*/checkpoints/*-*.json")), stopped)
    os.killpg(stopped.pid, signal.SIGTERM)
    finish(stopped)
    shutil.copytree(tmp_path / "a", tmp_path / "grown")
    change(checkout)

    out, again = whole_run(checkout, tmp_path / "a")
    new = again["code"].iloc[0]
    assert "other code made cells (16 by" in out and set(again["code"]) == {new}
    assert new != first["code"].iloc[0]
    note("code changed: found", *compare(again.drop(columns="code"), first.drop(columns="code")))

    _, resumed = whole_run(checkout, tmp_path / "b")
    note("code changed: resumed", *compare(resumed, again))

    grown = begin(checkout, tmp_path / "grown", "experiment.rho=[0.3,0.5,0.7]")
    code, out, err = finish(grown)
    assert code == 0 and "kept" not in out, err
    (found,) = [
        run
        for run in map(Run, (tmp_path / "grown").glob("gaussian/*"))
        if len(run.read_rows()) > 16
    ]
    assert set(found.read_rows()["code"]) == {new}
    lost, _ = compare(rows_of(found), again)  # last digits depend on the size of a stack
    note("code changed: grown", lost, 0)

    code, out, err = finish(begin(checkout, tmp_path / "grown", "keep=other_code"))
    assert code == 0 and "16 of them made by other code" in out and "finished before" in out
    note("code changed: kept", 0, 0)
