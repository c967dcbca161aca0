"""Files are written whole or not at all, and a folder that cannot be written is refused."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stored_run import ROW, finished_run

from experiments.suite.store.files import OutputError, check_outputs, write_atomic
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import row_frame


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes: stands in for a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_write_makes_the_folders_it_needs_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b.txt", b"one")
    write_atomic(tmp_path / "a" / "b.txt", b"two")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"two"
    assert files(tmp_path) == ["b.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("no")], ids=["ctrl-c", "bug"])
def test_a_write_that_is_cut_short_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    path = tmp_path / "rows.csv"
    write_atomic(path, b"old")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert files(tmp_path) == ["rows.csv"]


def test_files_get_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_an_output_folder_that_is_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("mine")
    with pytest.raises(OutputError, match=r"expected a folder .*got .*outputs=<folder>") as caught:
        check_outputs(tmp_path / "outputs" / "gaussian")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "outputs").read_text() == "mine"


def test_a_read_only_output_folder_is_refused() -> None:
    # Files cannot be made under /proc, not even by root.
    with pytest.raises(OutputError, match=r"expected a folder that can be written at /proc"):
        check_outputs(Path("/proc/outputs"))


def test_a_full_disk_is_refused_and_the_old_rows_stay(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    before = tables_of(run)
    many = row_frame([ROW | {"key": str(i), "reason": str(i) * 50} for i in range(500)])
    with (
        largest_file(4096),
        pytest.raises(OutputError, match=r"expected room for \d+ bytes .*got"),
    ):
        run.write_rows(many)
    assert tables_of(run) == before
    assert list(run.read_rows()["key"]) == ["a", "b"]
    run.write_rows(row_frame([ROW]))  # there is room again
    assert len(run.read_rows()) == 1


def tables_of(run: Run) -> dict[Path, bytes]:
    """All that is on disk but the checksums, which know of a table before it is there."""
    files = [p for p in run.folder.rglob("*") if p.is_file() and p.name != "checksums.json"]
    return {path: path.read_bytes() for path in files}


def test_the_check_of_an_output_folder_makes_it_and_leaves_it_empty(tmp_path: Path) -> None:
    check_outputs(tmp_path / "outputs")
    assert list((tmp_path / "outputs").iterdir()) == []


def test_pieces_are_written_as_one_file(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", iter([b"one, ", b"two"]))
    assert (tmp_path / "a").read_bytes() == b"one, two"
