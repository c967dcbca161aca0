"""A run survives a full disk, broken files, and the loss of its folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from faulty_run import (
    ROOT,
    Note,
    compare,
    complete,
    finish,
    kept_states,
    rows,
    start,
    steps_taken_up,
    stopped_amid,
    the_run,
    wait_for,
)

pytestmark = pytest.mark.faults


def test_a_disk_with_no_room_for_rows(whole: pd.DataFrame, tmp_path: Path, note: Note) -> None:
    stopped_amid(tmp_path)
    before = rows(tmp_path)
    earlier = the_run(tmp_path).read_provenance()["time"]
    code, out, err = complete(tmp_path, fault="no_room_for_rows")
    assert code == 1
    assert "kept from before" in out  # it had begun
    assert the_run(tmp_path).read_provenance()["time"] > earlier
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
