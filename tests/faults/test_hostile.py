"""Hostile configs, run folders and checkpoints: no foreign code is run."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from faulty_run import ROOT, Note, compare, complete, kept_states, rows, stopped_amid, the_run
from safetensors.numpy import load, save

from experiments.suite.report import status
from experiments.suite.store import checkpoints

pytestmark = pytest.mark.faults


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Path]:
    """A file that exists only where someone's code was run."""
    path = tmp_path / "was-here"
    yield path
    assert not path.exists()


@pytest.mark.parametrize(
    "overrides",
    [
        ("train._target_=os.system", "+train.command='touch {}'"),
        ("experiment.name=../../elsewhere",),
        ("critic._target_=experiments.suite.store.files.os.system", "+critic.command='touch {}'"),
        ("experiment.name=store",),
        (
            "critic._target_=experiments.suite.report.command.main",
            "+critic.arguments=[--outputs,{}]",
        ),
        ("--config-dir={}-configs", "experiment=theirs"),
    ],
)
def test_a_hostile_config(
    overrides: tuple[str, ...], witness: Path, tmp_path: Path, note: Note
) -> None:
    outputs, theirs = tmp_path / "outputs", tmp_path / f"{witness.name}-configs"
    (theirs / "experiment").mkdir(parents=True)
    (theirs / "experiment" / "theirs.yaml").write_text(
        "# @package _global_\nhydra:\n  callbacks:\n    x:\n      _target_: os.system\n"
        f"      command: touch {witness}\n"
    )
    code, _, err = complete(outputs, *(text.format(witness) for text in overrides))
    assert code == 2
    assert err.startswith("experiments: ") and "Traceback" not in err
    assert not list(tmp_path.rglob("*.parquet"))
    assert {p.name for p in tmp_path.iterdir()} <= {"outputs", theirs.name}
    note("hostile config", 0, 0)


def test_a_hostile_run_folder(witness: Path, tmp_path: Path, note: Note) -> None:
    """A config.yaml from elsewhere is data to whoever reads it."""
    outputs = tmp_path / "outputs"
    assert complete(outputs, "experiment.methods=[ksg]")[0] == 0
    before = rows(outputs)
    folder = outputs / "gaussian" / "0123456789ab"
    shutil.copytree(the_run(outputs).folder, folder)
    config = f"!!python/object/apply:os.system ['touch {witness}']\n"
    (folder / "config.yaml").write_text(config)
    (folder / "lock.json").write_text(json.dumps({"pid": "__import__('os')"}))
    report = [sys.executable, "-m", "experiments.suite.report", "--outputs", str(outputs)]
    done = subprocess.run(report, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 1 and "config.yaml" in done.stderr
    assert "Traceback" not in done.stderr
    assert status.main(["--outputs", str(outputs)]) == 0
    shutil.rmtree(folder)
    note("hostile run folder", *compare(rows(outputs), before))


def test_a_hostile_checkpoint(
    whole: pd.DataFrame, witness: Path, tmp_path: Path, note: Note
) -> None:
    """With a checksum that is right: code, absurd shapes, another stack's state."""
    outputs = tmp_path / "outputs"
    stopped_amid(outputs)
    code = pickle.dumps({"__reduce__": (os.system, (f"touch {witness}",))})
    for i, path in enumerate(kept_states(outputs)):
        arrays = path.with_suffix(".safetensors")
        state = load(arrays.read_bytes())
        state["0.loop.theta"] = state["0.loop.theta"][:7]
        noise = {n: np.zeros_like(v) for n, v in load(arrays.read_bytes()).items()}
        data = [code, save(state), save(noise)][i % 3]
        arrays.write_bytes(data)
        about = json.loads(path.read_bytes()) | {"sha256": hashlib.sha256(data).hexdigest()}
        path.write_text(json.dumps(about))
        if i % 3:
            checkpoints.read(path)  # whole, as far as a checksum can tell
    found, _, err = complete(outputs)
    assert found == 0, err
    assert "start anew" in err or "cannot be used" in err
    note("hostile checkpoint", *compare(rows(outputs), whole))
