"""What a run survives, each done for real to a program of its own; `make faults` runs them.

A result is lost where a row that was on disk is gone, or a cell has none at the end; it is wrong
where a row or its curve differs by a bit from that of a run that nothing happened to.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load, save

from experiments.suite.report import status
from experiments.suite.store import checkpoints, lock
from experiments.suite.store import runs as store

pytestmark = pytest.mark.faults
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
KILLS = 20


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


def the_run(outputs: Path) -> store.Run:
    (folder,) = (p.parent for p in outputs.glob("*/*/config.yaml"))
    return store.Run(folder)


def rows(outputs: Path) -> pd.DataFrame:
    return rows_of(the_run(outputs))


def rows_of(run: store.Run) -> pd.DataFrame:
    """A run's rows by the cell's key, each with its curve."""
    curves = {key: str(some.to_dict("list")) for key, some in run.read_curves().groupby("key")}
    found = run.read_rows().drop(columns=["seconds", "run_id"])
    return found.assign(curve=[curves.get(key, "") for key in found["key"]]).set_index("key")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The rows of a run that nothing happened to."""
    outputs = tmp_path_factory.mktemp("whole")
    code, _, err = complete(outputs)
    assert code == 0, err
    found = rows(outputs)
    assert len(found) == CELLS
    assert (found.loc[found["method"] == "mine", "curve"] != "").sum() == TRAINED
    return found


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


# ------------------------------------------------------------------------ ends


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
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)]
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


# ------------------------------------------------------------------- the disk


def test_a_disk_with_no_room_for_rows(whole: pd.DataFrame, tmp_path: Path, note: Note) -> None:
    stopped_amid(tmp_path)
    before = rows(tmp_path)
    sitting = the_run(tmp_path).read_provenance()["time"]
    code, out, err = complete(tmp_path, fault="no_room_for_rows")
    assert code == 1
    assert "kept from before" in out  # it had begun
    assert the_run(tmp_path).read_provenance()["time"] > sitting
    assert "expected room for" in err and "Traceback" not in err
    lost, _ = compare(rows(tmp_path), before)
    assert complete(tmp_path)[0] == 0
    more, wrong = compare(rows(tmp_path), whole)
    note("disk full: rows", lost + more, wrong)


def test_a_disk_with_no_room_for_checkpoints(
    whole: pd.DataFrame, tmp_path: Path, note: Note
) -> None:
    code, _, err = complete(tmp_path, fault="no_room_for_checkpoints")
    assert code == 0, err
    assert "training goes on" in the_run(tmp_path).log.read_text()
    note("disk full: checkpoint", *compare(rows(tmp_path), whole))


def test_a_disk_with_no_room_for_figures(whole: pd.DataFrame, tmp_path: Path, note: Note) -> None:
    code, _, err = complete(tmp_path, fault="no_room_for_figures")
    assert code == 1
    assert "expected room for" in err and "Traceback" not in err
    note("disk full: figure", *compare(rows(tmp_path), whole))
    code, out, err = complete(tmp_path)
    assert code == 0, err
    assert "16 kept from before" in out


def test_a_disk_with_no_room_for_the_report(tmp_path: Path, note: Note) -> None:
    assert complete(tmp_path, "experiment.methods=[ksg]")[0] == 0
    write = [sys.executable, "-m", "experiments.suite.report", "--outputs", str(tmp_path)]
    assert subprocess.run(write, cwd=ROOT).returncode == 0
    page, before = (tmp_path / "report.html").read_bytes(), rows(tmp_path)
    limited = (  # the disk is full once the results are written, and the page is next
        "import resource, sys; from experiments.suite.report import command, writing\n"
        "write = writing.write_results\n"
        "def and_full(*arguments):\n"
        "    write(*arguments)\n"
        f"    resource.setrlimit(resource.RLIMIT_FSIZE, ({len(page) - 1}, -1))\n"
        "writing.write_results = and_full\n"
        f"sys.exit(command.main(['--outputs', {str(tmp_path)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited], cwd=ROOT, text=True, capture_output=True
    )
    assert done.returncode == 2
    assert f"expected room for {len(page)} bytes" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "report.html").read_bytes() == page
    note("disk full: report", *compare(rows(tmp_path), before))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [cut, flip])
def test_a_broken_checkpoint(
    harm: Callable[[Path], None], whole: pd.DataFrame, tmp_path: Path, note: Note
) -> None:
    stopped_amid(tmp_path)
    newest = {p.name.split("-")[0]: p for p in kept_states(tmp_path)}  # sorted: the last stays
    for path in newest.values():
        harm(path.with_suffix(".safetensors"))
    code, _, err = complete(tmp_path)
    assert code == 0, err
    assert "a checksum that differs: the one before it is used" in err
    assert steps_taken_up(tmp_path) > 0
    note(f"checkpoint: {harm.__name__}", *compare(rows(tmp_path), whole))


@pytest.mark.parametrize("table", ["rows", "curves"])
@pytest.mark.parametrize("harm", [cut, flip])
def test_broken_tables(
    harm: Callable[[Path], None], table: str, whole: pd.DataFrame, tmp_path: Path, note: Note
) -> None:
    """Of a run that was stopped, and of one that was finished.

    A run that was stopped before a network had ended has no curves, and so no copy of them before
    these: its rows are computed again.
    """
    stopped_amid(tmp_path)
    for finished in (False, True):
        folder = the_run(tmp_path).folder
        copied = (folder / f"{table}.previous.parquet").exists()
        assert copied or (table == "curves" and not finished)
        harm(folder / f"{table}.parquet")
        code, _, err = complete(tmp_path)
        assert code == 0, err
        assert ("the copy before it is used" if copied else "is computed again") in err
        note(f"{table}: {harm.__name__}", *compare(rows(tmp_path), whole))


def test_the_folder_is_removed_midway(whole: pd.DataFrame, tmp_path: Path, note: Note) -> None:
    process = start(tmp_path)
    wait_for(lambda: kept_states(tmp_path), process)
    for _ in range(50):  # the run may write between the looking and the removing
        with suppress(OSError):
            shutil.rmtree(tmp_path / "gaussian")
            break
    code, _, err = finish(process)
    assert code == 0, err
    assert the_run(tmp_path).finished
    note("output folder removed midway", *compare(rows(tmp_path), whole))


# ------------------------------------------------------------------- the tasks


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
    holder = lock.read(the_run(tmp_path).folder / "lock.json")
    assert holder is not None and holder.heartbeat < time.time() - 86_400
    (line,) = status.lines_of(tmp_path, time.time())
    assert line.state == "running"
    code, _, err = complete(tmp_path)  # the holder lives, whatever its clock says
    assert code == 3 and "held by process" in err
    code, _, err = finish(process)
    assert code == 0, err
    note("clock jumps back", *compare(rows(tmp_path), whole))


# --------------------------------------------------------------------- company


def test_the_same_sweep_by_four_processes(whole: pd.DataFrame, tmp_path: Path, note: Note) -> None:
    sweep = ("-m", "estimator.partners=9,10", "experiment.methods=[mine]", "threads=1")
    four = [start(tmp_path, *sweep) for _ in range(4)]
    ends = [finish(process) for process in four]
    assert {code for code, _, _ in ends} <= {0, 3}
    refused = [err for code, _, err in ends if code == 3]
    assert refused and all("held by process" in err and "since" in err for err in refused)
    runs = [store.Run(p.parent) for p in tmp_path.glob("*/*/config.yaml")]
    assert len(runs) == 2 and all(one.finished for one in runs)
    alone = tmp_path / "alone"
    assert complete(alone, "estimator.partners=9", "experiment.methods=[mine]")[0] == 0
    wanted = {9: rows(alone), 10: whole[whole["method"] == "mine"]}
    for one in runs:
        partners = one.read_config()["estimator"]["partners"]
        note("four processes at once", *compare(rows_of(one), wanted[partners]), tried=2)


# --------------------------------------------------------------------- hostile


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
        ("critic._target_=experiments.suite.store.runs.os.system", "+critic.command='touch {}'"),
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
