"""The command: its exit statuses, its sweeps, and bad input in one line on stderr."""

from __future__ import annotations

import logging
import re
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_run import (
    CELLS,
    ROOT,
    TINY,
    Patch,
    after,
    assert_nothing_half_written,
    assert_same_bits,
    rows_in,
    run_in,
    say_command,
    the_run,
)

from experiments.suite.run.exits import BAD_INPUT, FAILED, OK
from experiments.suite.store.joined import load_runs

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_sweep_makes_a_run_of_each_value_and_goes_on_past_a_bad_one(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("experiment.methods=[mine]", "experiment.rho=[0.5]", f"outputs={tmp_path}")
    sweep = ("-m", "train.learning_rate=1e-3,-1,2e-3")
    assert say_command(monkeypatch, *TINY, *few, *sweep) == BAD_INPUT
    runs, problems = load_runs(tmp_path)
    assert problems == []
    assert {one.read_config()["train"]["learning_rate"] for one in runs} == {1e-3, 2e-3}
    assert {one.read_status()["state"] for one in runs} == {"finished"}
    assert all("outputs=" in one.read_status()["command"] for one in runs)
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "learning_rate" in err and "got -1" in err
    assert logging.getLogger("experiments").handlers == []


def test_the_status_of_one_command_does_not_stick_to_the_next(
    uninterrupted: Path, monkeypatch: Patch
) -> None:
    assert say_command(monkeypatch, *TINY, f"outputs={uninterrupted}", "device=tpu") == 2
    assert say_command(monkeypatch, *TINY, f"outputs={uninterrupted}") == OK


def test_the_command_of_a_run_finds_it_again(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = f"outputs={tmp_path}/with space"
    few = ("experiment.methods=[ksg]", "experiment.rho=[-0.5, 1e-3]", "~experiment.panels.high")
    assert say_command(monkeypatch, *TINY, *few, odd) == OK
    found = the_run(tmp_path / "with space")
    python, dash, module, *words = shlex.split(found.read_status()["command"])
    assert (python, dash, module) == ("python", "-m", "experiments")
    capsys.readouterr()
    assert say_command(monkeypatch, *words) == OK
    assert f"{found.run_id}: finished before" in capsys.readouterr().out


BAD_COMMANDS = {
    "rho-2": ("experiment.rho=[0.5,2]", r"expected rho .* got 2\.0: .*take"),
    "rho-nan": ("experiment.rho=[nan]", r"expected rho .* got nan: .*take"),
    "method": ("experiment.methods=[foo]", r"method must be one of .*'mine'.* got 'foo'"),
    "experiment": ("experiment=foo", r"'experiment/foo' .*equitability gaussian.*--help"),
    "experiment-null": ("experiment=null", "string or a list. Got NoneType"),
    "scale": ("scale=huge", r"'scale/huge' .*default paper smoke.*--help"),
    "key": ("train.stepz=3", r"Could not override 'train.stepz'.*--help"),
    "key-added": ("+train.stepz=3", r"unexpected keyword argument 'stepz'.*--help"),
    "grammar": ("experiment.rho=[0.5", r"at input '\[0.5'.*--help"),
    "steps": ("train.steps=-5", r"steps must be a whole number >= 1, got -5"),
    "device": ("device=tpu", r"device must be auto, cpu or cuda, got 'tpu'"),
}  # fmt: skip
"""Override -> what the one line on stderr says: expected, got, and what to do about it."""


@pytest.mark.parametrize(("override", "line"), BAD_COMMANDS.values(), ids=BAD_COMMANDS)
def test_a_bad_command_is_one_line_and_status_2(
    tmp_path: Path,
    monkeypatch: Patch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    override: str,
    line: str,
) -> None:
    outputs = tmp_path / "outputs"
    assert say_command(monkeypatch, *TINY, f"outputs={outputs}", override) == BAD_INPUT
    said = capsys.readouterr()
    assert said.out == "" and caplog.text == ""
    assert said.err.startswith("experiments: ") and said.err.count("\n") == 1
    assert re.search(line, said.err), said.err
    assert not list(outputs.rglob("*")), "something was written"


def unusable(folder: Path) -> Iterator[str]:
    (folder / "file").touch()
    yield str(folder / "file")
    yield str(folder / "file" / "below")
    yield "/proc/outputs"  # read-only even for root


def test_an_output_folder_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    for outputs in unusable(tmp_path):
        for words in ((), ("-m", "scale.n_test=100,101")):
            asked = (*TINY, f"outputs={outputs}", *words)
            assert say_command(monkeypatch, *asked) == BAD_INPUT
            said = capsys.readouterr()
            assert said.out == "" and said.err.count("\n") == 1
            assert "expected " in said.err and "can be written" in said.err
            assert "got " in said.err and said.err.endswith("with outputs=<folder>\n")
    assert (tmp_path / "file").read_bytes() == b""


@contextmanager
def files_of_at_most(size: int) -> Iterator[Callable[[], None]]:
    """What a full disk does: writes beyond so many bytes are refused, once it is called."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_full_disk_is_refused_before_the_start(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    with files_of_at_most(1000) as fill:
        fill()
        status = say_command(monkeypatch, *TINY, f"outputs={tmp_path}")
    assert status == BAD_INPUT
    said = capsys.readouterr()
    assert said.err == (
        f"experiments: expected room for 4096 bytes at {tmp_path}, got 'File too large': "
        "free some space, or name another folder with outputs=<folder>\n"
    )
    assert said.out == "" and not list(tmp_path.rglob("*"))


def test_a_disk_that_fills_midway_is_status_1_and_the_same_command_goes_on(
    uninterrupted: Path, tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    with files_of_at_most(100) as fill:
        after(monkeypatch, 4, fill)
        status = say_command(monkeypatch, *TINY, f"outputs={tmp_path}")
    assert status == FAILED
    said = capsys.readouterr()
    assert said.err.startswith("experiments: expected room for ") and said.err.count("\n") == 1
    assert_nothing_half_written(tmp_path)
    assert 0 < len(rows_in(tmp_path)) < CELLS
    assert run_in(tmp_path) == OK
    assert_same_bits(rows_in(tmp_path), rows_in(uninterrupted))


def test_a_process_ends_with_the_status(tmp_path: Path) -> None:
    asked = ["experiment.rho=[2]", f"outputs={tmp_path}/outputs"]
    done = subprocess.run(
        [sys.executable, "-m", "experiments", *asked],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == BAD_INPUT
    assert done.stdout == "" and done.stderr.startswith("experiments: expected rho in the open")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_help_answers_without_torch(words: list[str]) -> None:
    """And no words at all are no wish to run the default experiment."""
    code = (
        f"import sys; sys.argv = {['experiments', *words]}\n"
        "from experiments.suite.run.command import command\n"
        "try: command()\n"
        "except SystemExit as end: print('status', end.code, {'torch', 'pandas'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("status 0 set()\n")
    groups: Mapping[str, str] = dict(
        line.split(": ") for line in done.stdout.splitlines() if line.count(": ") == 1
    )
    assert groups["scale"] == "default, paper, smoke"
    assert {"gaussian", "equitability"} <= set(groups["experiment"].split(", "))
