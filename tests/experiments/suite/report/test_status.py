"""The status: a word for each run that is true of its files, whatever they hold."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from experiments.suite.report import status
from experiments.suite.report.progress import Line, lines_of
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import curve_frame, row_frame

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
SECONDS = NOW.timestamp()
HERE = socket.gethostname()
ROOT = Path(__file__).resolve().parents[4]


def moment(seconds_ago: float) -> str:
    return (NOW - timedelta(seconds=seconds_ago)).isoformat()


def a_run(outputs: Path, state: str | None = "running", **changes: Any) -> Run:
    """A run with 30 of 120 cells done in 60 seconds, last written 10 seconds ago."""
    config = {"experiment": {"name": "gaussian"}, "train": {"learning_rate": 0.001}, **changes}
    run = Run.create(outputs, "gaussian", config)
    if state:
        run.write_rows(row_frame([{"key": "a", "status": "ok"}]))
        run.write_curves(curve_frame([]))
        run.write_status(
            {"state": state, "cells": 120, "done": 30, "seconds": 60.0, "updated": moment(10)}
        )
    return run


def lock(run: Run, host: str = HERE, pid: int | None = None, beat: Any = None) -> None:
    found = {
        "host": host,
        "pid": os.getpid() if pid is None else pid,
        "born": "",
        "since": moment(100),
        "heartbeat": SECONDS - 1 if beat is None else beat,
    }
    (run.folder / "lock.json").write_text(json.dumps(found))


def only(outputs: Path) -> Line:
    (line,) = lines_of(outputs, SECONDS)
    return line


@pytest.fixture(scope="module")
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_finished_run_is_done_and_a_failed_one_failed(tmp_path: Path) -> None:
    a_run(tmp_path, "finished")
    assert only(tmp_path).state == "done"
    a_run(tmp_path, "failed")
    assert only(tmp_path).state == "failed"


def test_a_run_is_running_while_its_process_lives(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    lock(run)
    line = only(tmp_path)
    assert (line.state, line.pid, line.host) == ("running", os.getpid(), HERE)
    assert line.since == moment(100)


def test_a_run_that_failed_and_was_taken_up_again_is_running(tmp_path: Path) -> None:
    lock(a_run(tmp_path, "failed"))
    assert only(tmp_path).state == "running"


def test_a_run_whose_process_is_dead_or_that_nobody_holds_is_resumable(
    tmp_path: Path, dead: int
) -> None:
    run = a_run(tmp_path)
    assert only(tmp_path).state == "resumable"
    for pid in (dead, 10**30):
        lock(run, pid=pid)
        line = only(tmp_path)
        assert (line.state, line.host) == ("resumable", "")


@pytest.mark.parametrize(
    ("state", "beat", "expected"),
    [
        ("running", SECONDS - 5, "running"),
        ("running", SECONDS - 500, "resumable"),
        ("running", "no time", "resumable"),
        ("stopped", SECONDS - 500, "resumable"),
        ("failed", SECONDS - 5, "locked"),
        ("failed", SECONDS - 500, "failed"),
        ("finished", SECONDS - 5, "done"),
    ],
)
def test_another_host_holds_a_run_while_it_is_heard_of(
    tmp_path: Path, state: str, beat: Any, expected: str, dead: int
) -> None:
    run = a_run(tmp_path, state)
    lock(run, "elsewhere", dead, beat)
    assert only(tmp_path).state == expected


def test_a_run_that_has_only_its_lock_yet_is_running_here_and_locked_elsewhere(
    tmp_path: Path,
) -> None:
    run = a_run(tmp_path, None)
    lock(run)
    assert (only(tmp_path).state, only(tmp_path).problem) == ("running", "")
    lock(run, host="elsewhere")
    assert only(tmp_path).state == "locked"


def test_pace_and_time_left_follow_from_cells_and_seconds(tmp_path: Path) -> None:
    """30 cells a minute, so 90 more take 180 s; 10 of them have passed where it runs."""
    run = a_run(tmp_path)
    line = only(tmp_path)
    assert (line.cells_a_minute, line.seconds_left) == (30.0, 180.0)
    lock(run)
    assert only(tmp_path).seconds_left == 170.0
    a_run(tmp_path, "finished")
    assert only(tmp_path).seconds_left is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", b"a: [1"),
        ("config.yaml", None),
        ("status.json", b"{"),
        ("status.json", b'{"state": "dreaming"}'),
        ("status.json", b"\xff\xfe"),
        ("status.json", None),
        ("rows.parquet", b""),
        ("rows.parquet", b"PAR1 and another end PAR1"),
        ("rows.parquet", None),
        ("curves.parquet", b"x"),
    ],
)
def test_a_missing_or_corrupt_file_is_named(
    tmp_path: Path, name: str, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = a_run(tmp_path, "finished"), a_run(tmp_path, device="cuda")
    if content is None:
        (bad.folder / name).unlink()
    else:
        (bad.folder / name).write_bytes(content)
    found = {line.run_id: line for line in lines_of(tmp_path, SECONDS)}
    assert found[good.run_id].state == "done"
    assert found[bad.run_id].state == "broken"
    assert found[bad.run_id].problem.startswith(f"{name}: ")
    assert "\n" not in found[bad.run_id].problem
    assert status.main(["--outputs", str(tmp_path)]) == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"{", b'{"pid": "1"}', b"[]"])
def test_a_lock_that_cannot_be_read_holds_nobody_up_and_is_named(
    tmp_path: Path, content: bytes
) -> None:
    (a_run(tmp_path).folder / "lock.json").write_bytes(content)
    line = only(tmp_path)
    assert line.state == "resumable"
    assert line.problem.startswith("lock.json: ")


@pytest.mark.parametrize("state", ["finished", "running"])
def test_a_broken_table_with_a_copy_before_it_is_named_and_the_run_resumable(
    tmp_path: Path, state: str
) -> None:
    run = a_run(tmp_path, state)
    run.write_rows(row_frame([{"key": key, "status": "ok"} for key in "ab"]))
    assert only(tmp_path).problem == ""
    path = run.folder / "rows.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    line = only(tmp_path)
    assert line.state == "resumable"
    assert "rows.parquet: " in line.problem and "the copy before it is used" in line.problem
    assert len(run.read_rows()) == 1


@pytest.mark.parametrize("value", [None, "many", True, [1], -1.0, 0])
def test_odd_values_in_a_status_are_no_numbers_and_no_error(tmp_path: Path, value: Any) -> None:
    run = a_run(tmp_path)
    for key in ("done", "cells", "seconds", "updated"):
        whole = {"cells": 4, "done": 2, "seconds": 2.0, "updated": moment(0)}
        run.write_status({"state": "running", **whole, key: value})
        assert only(tmp_path).state == "resumable"
        assert status.main(["--outputs", str(tmp_path)]) == 0


def test_the_overrides_that_vary_are_those_of_the_experiment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for rate in (0.001, 0.01):
        a_run(tmp_path, "finished", train={"learning_rate": rate, "steps": 5}, device=f"{rate}")
    lines = lines_of(tmp_path, SECONDS)
    assert [set(line.overrides) for line in lines] == [{"train.learning_rate"}] * 2
    assert status.main(["--outputs", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "learning_rate=.001" in said
    assert "steps" not in said
    assert said.rstrip().endswith("2 done")


def test_programs_get_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = a_run(tmp_path, "finished")
    assert status.main(["--outputs", str(tmp_path), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["run_id"] == run.run_id
    assert (found["state"], found["done"], found["cells"]) == ("done", 30, 120)


def test_text_from_files_moves_no_cursor_and_is_no_markup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("\x1b[2J", "[bold]b[/bold]"):
        a_run(tmp_path, "finished", note=name)
    assert status.main(["--outputs", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\\x1b[2J" in said and "[bold]b[/bold]" in said


def test_a_folder_without_runs_is_said_and_no_folder_is_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status.main(["--outputs", str(tmp_path)]) == 0
    assert "No run in" in capsys.readouterr().out
    assert status.main(["--outputs", str(tmp_path / "none")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("experiments.status: expected a folder with runs, got ")
    assert said.err.count("\n") == 1


def test_the_command_writes_nothing_and_loads_nothing_slow(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    lock(run)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    program = (
        "import sys\n"
        "from experiments.suite.report.status import main\n"
        f"assert main(['--outputs', {str(tmp_path)!r}]) == 0\n"
        "slow = {'torch', 'pandas', 'pyarrow', 'matplotlib', 'hydra'} & set(sys.modules)\n"
        "sys.exit(f'loaded {slow}' if slow else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "running" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        status.main(["--help"])
    assert end.value.code == 0
    assert (
        "python -m experiments.suite.report.status --outputs outputs --json"
        in capsys.readouterr().out
    )
