"""A report made while a run begins: the run is alive, and nobody is told to remove it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stored_run import CONFIG, finished_run

from experiments.suite.report.command import main
from experiments.suite.store.lock import held
from experiments.suite.store.runs import Run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Run]:
    """In its first second a run has its config and its lock, and nothing else."""
    run = Run.create(tmp_path, "gaussian", CONFIG)
    with held(run.folder / "lock.json", time.time):
        yield run


def test_a_run_that_has_only_begun_is_no_problem(
    begun: Run, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["--outputs", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert f"gaussian {begun.run_id} has only begun: process " in out and err == ""
    assert "Problem" not in (tmp_path / "report.md").read_text()


def test_a_run_that_died_in_its_first_second_is_mended_by_its_command(
    tmp_path: Path, capsys: Capture
) -> None:
    run = Run.create(tmp_path, "gaussian", CONFIG)
    assert main(["--outputs", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert f"{run.folder}/provenance.json: expected a readable file" in err
    assert "run its command again, which mends it" in err and "remove" not in err


def test_a_table_that_a_full_disk_cut_is_mended_by_its_command(
    tmp_path: Path, capsys: Capture
) -> None:
    run = finished_run(tmp_path)
    for path in run.folder.glob("rows*.parquet"):
        path.write_bytes(path.read_bytes()[:-9])
    assert main(["--outputs", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "rows.parquet" in err and "run its command again, which mends it" in err
    assert "remove" not in err


def test_what_stands_in_the_place_of_a_file_is_to_be_moved_not_removed(
    tmp_path: Path, capsys: Capture
) -> None:
    run = finished_run(tmp_path)
    (run.folder / "status.json").unlink()
    (run.folder / "status.json").mkdir()
    assert main(["--outputs", str(tmp_path)]) == 1
    assert "move it away, and run its command again" in capsys.readouterr().err
