"""A broken table is found by its checksum, and the one before it is used."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from stored_run import ROW, finished_run

from experiments.suite.store import checked_tables
from experiments.suite.store.checked_tables import CorruptRunError, checksums, table_fault
from experiments.suite.store.files import write_atomic
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import row_frame


def test_a_table_cut_in_half_is_corrupt(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    path = run.folder / "rows.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CorruptRunError, match="rows.parquet: expected a readable table"):
        run.read_rows()


def test_a_table_of_another_schema_is_corrupt(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    table = pq.read_table(run.folder / "rows.parquet")
    pq.write_table(table.drop_columns(["truth"]), run.folder / "rows.parquet")
    (run.folder / "checksums.json").unlink()
    with pytest.raises(CorruptRunError, match="expected the columns"):
        run.read_rows()


def twice_written(tmp_path: Path) -> Run:
    run = finished_run(tmp_path)
    run.write_rows(three_rows())
    return run


def three_rows() -> pd.DataFrame:
    return row_frame([ROW | {"key": key} for key in "abc"])


@pytest.mark.parametrize("at", [0, 100, 300, -20, -1])
def test_a_flipped_byte_is_found_and_the_copy_before_it_is_used(
    tmp_path: Path, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    run = twice_written(tmp_path)
    path = run.folder / "rows.parquet"
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)
    assert list(run.read_rows()["key"]) == ["a", "b"]
    assert "a checksum that differs" in caplog.text and "the copy before it" in caplog.text
    run.write_rows(three_rows())
    assert len(run.read_rows()) == 3


def test_a_table_and_its_copy_that_are_both_broken_are_corrupt(tmp_path: Path) -> None:
    run = twice_written(tmp_path)
    for name in ("rows.parquet", "rows.previous.parquet"):
        (run.folder / name).write_bytes(b"PAR1")
    with pytest.raises(CorruptRunError, match=r"rows.previous.parquet: .* a checksum"):
        run.read_rows()


def test_a_reader_that_a_writer_overtakes_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It has read the checksums of before when the run writes both them and the table."""
    run = twice_written(tmp_path)
    old = checksums(run.folder)
    run.write_rows(row_frame([ROW]))
    now = checksums
    assert old != now(run.folder)
    for read, wanted in (
        (lambda: len(run.read_rows()), 1),
        (lambda: table_fault(run.folder, "rows.parquet"), ""),
    ):
        told = iter([old])
        monkeypatch.setattr(
            checked_tables, "checksums", lambda folder, told=told: next(told, now(folder))
        )
        assert read() == wanted
    assert caplog.text == ""


@pytest.mark.parametrize("stop_at", ["rows.previous.parquet", "checksums.json", "rows.parquet"])
def test_a_write_stopped_at_any_file_leaves_the_rows_before_it(
    tmp_path: Path, stop_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = twice_written(tmp_path)

    def stopping(path: Path, data: bytes) -> None:
        if path.name == stop_at:
            raise KeyboardInterrupt
        write_atomic(path, data)

    monkeypatch.setattr(checked_tables, "write_atomic", stopping)
    one = row_frame([ROW])
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run.write_rows(one)
        assert len(run.read_rows()) == 3
    monkeypatch.undo()
    run.write_rows(one)
    assert len(run.read_rows()) == 1
