"""Many runs: the readable ones are found, and their rows join into one table."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from stored_run import CONFIG, ROW, finished_run

from experiments.suite.store import checked_tables, joined, runs
from experiments.suite.store.joined import join_rows, join_runs, load_runs
from experiments.suite.store.runs import Run
from experiments.suite.store.table_bytes import csv_bytes, parquet_to_csv
from experiments.suite.store.tables import ROW_COLUMNS, row_frame


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", b"a: [1"),
        ("config.yaml", b"- 1"),
        ("config.yaml", None),
        ("provenance.json", b'{"git_commit": '),
        ("provenance.json", None),
        ("status.json", b"\xff"),
        ("status.json", b'{"state": "done"}'),
        ("status.json", None),
        ("rows.parquet", b""),
        ("rows.parquet", b"PAR1 and then nothing PAR1"),
        ("curves.parquet", b"x"),
    ],
)
def test_a_corrupt_run_is_named_and_the_others_are_read(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    good, bad = finished_run(tmp_path), finished_run(tmp_path, device="cuda")
    if content is None:
        (bad.folder / name).unlink()
    else:
        (bad.folder / name).write_bytes(content)
    runs, problems = load_runs(tmp_path)
    assert runs == [good]
    assert len(problems) == 1
    assert "\n" not in problems[0]
    assert problems[0].startswith(f"{bad.folder / name}: expected ")
    assert problems[0].endswith("run its command again, which mends it")


def test_only_run_folders_are_taken_for_runs(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    (tmp_path / "figures" / "gaussian").mkdir(parents=True)
    (tmp_path / "gaussian" / "notes").mkdir()
    (tmp_path / "report.html").touch()
    assert load_runs(tmp_path) == ([run], [])
    assert load_runs(tmp_path / "nowhere") == ([], [])


def test_the_rows_of_all_runs_join_into_one_table(tmp_path: Path) -> None:
    one, two = finished_run(tmp_path), finished_run(tmp_path, device="cuda")
    joined = join_rows([one, two])
    assert len(joined) == 4
    assert {name: str(dtype) for name, dtype in joined.dtypes.items()} == ROW_COLUMNS
    assert len(join_rows([])) == 0


def many_runs(outputs: Path, count: int) -> list[Run]:
    """Runs of one to three rows, with texts and numbers that are hard to write."""
    runs = []
    for number in range(count):
        run = Run.create(outputs, "gaussian", CONFIG | {"number": number})
        hard = {"reason": 'a "b", c\nd\re', "nats": math.nan, "stderr": 1e-300 * number}
        rows = [ROW | hard | {"key": f"{i}", "seed": number} for i in range(number % 4)]
        run.write_provenance({})
        run.write_rows(row_frame(rows))
        run.write_status({"state": "finished"})
        runs.append(run)
    return sorted(runs, key=lambda run: run.folder)


def test_joined_rows_are_those_of_each_run_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The naive road: every run's rows through pandas, one after the other."""
    for module in (checked_tables, runs):
        monkeypatch.setattr(module, "write_atomic", without_waiting)
    monkeypatch.setattr(joined, "JOINED_AT_ONCE", 16)
    written = many_runs(tmp_path, 100)
    columns = ["key", *(name for name in ROW_COLUMNS if name != "key")]
    found = join_runs(tmp_path, columns)
    naive = pd.concat([run.read_rows() for run in written], ignore_index=True)
    assert found.runs == written
    assert found.problems == []
    assert found.rows == len(naive) == 150
    read = pq.read_table(io.BytesIO(found.parquet)).to_pandas()
    pd.testing.assert_frame_equal(read, naive[columns])
    pd.testing.assert_frame_equal(join_rows(written), naive)
    text = b"".join(parquet_to_csv(found.parquet))
    assert values_of(text) == values_of(csv_bytes(naive[columns]))
    some = found.frame(["nats", "status"])
    assert some["nats"].tolist() == pytest.approx(naive["nats"].tolist(), nan_ok=True)
    assert some["status"].astype("str").tolist() == naive["status"].tolist()


def values_of(text: bytes) -> list[list[str]]:
    """The lines of a CSV; numbers in Python's own digits, which tell every double apart."""
    kinds: dict[str, Any] = {"str": str, "int64": int, "float64": float}
    return [
        [str(kinds[ROW_COLUMNS[name]](value)) for name, value in line.items()]
        for line in csv.DictReader(io.StringIO(text.decode(), newline=""))
    ]


def without_waiting(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_a_run_that_cannot_be_read_is_left_out_of_the_join(tmp_path: Path) -> None:
    good, bad = finished_run(tmp_path), finished_run(tmp_path, device="cuda")
    (bad.folder / "rows.parquet").write_bytes(b"PAR1")
    joined = join_runs(tmp_path, list(ROW_COLUMNS))
    assert (joined.runs, joined.rows) == ([good], 2)
    assert [str(bad.folder) in problem for problem in joined.problems] == [True]
