"""Tables as bytes: equal rows give equal files, and a CSV gives the same values back."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from stored_run import ROW, finished_run

from experiments.suite.store.table_bytes import csv_bytes
from experiments.suite.store.tables import row_frame


@given(st.lists(st.floats(), min_size=1, max_size=5))
def test_a_number_in_the_csv_is_the_number_to_the_last_bit(numbers: list[float]) -> None:
    frame = row_frame([ROW | {"key": str(i), "nats": x} for i, x in enumerate(numbers)])
    lines = csv.DictReader(io.StringIO(csv_bytes(frame).decode(), newline=""))
    assert [repr(float(line["nats"])) for line in lines] == [repr(float(x)) for x in numbers]


@given(st.text())
def test_text_in_the_csv_comes_back(text: str) -> None:
    written = csv_bytes(row_frame([ROW | {"reason": text}]))
    (line,) = csv.DictReader(io.StringIO(written.decode(), newline=""))
    assert line["reason"] == text.replace("\r", "\\r")


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    one, two = finished_run(tmp_path / "one"), finished_run(tmp_path / "two")
    two.write_rows(row_frame([]))
    two.write_rows(pd.concat([one.read_rows()[:1], one.read_rows()[1:]]))
    for name in ("rows.csv", "rows.parquet", "curves.parquet"):
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes(), name
