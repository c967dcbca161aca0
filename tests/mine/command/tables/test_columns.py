"""Values are checked before anything is trained."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from mine.command.tables.columns import Columns, read_columns
from mine.command.tables.opening import open_table

Numbers = Callable[..., Columns]
Write = Callable[..., Path]


@given(st.lists(st.booleans(), min_size=4, max_size=30).filter(lambda held: sum(held) >= 2))
def test_rows_with_missing_values_are_refused_or_dropped_and_counted(held: list[bool]) -> None:
    lines = [f"{i},{i if there else ''}" for i, there in enumerate(held)]
    content = "\n".join(["a,b", *lines]).encode()
    lost = held.count(False)

    def read(drop: bool) -> Columns:
        return read_columns(open_table("-", lambda: io.BytesIO(content)), "ab", (), drop)

    kept = [float(i) for i, there in enumerate(held) if there]
    found = read(True)
    assert found.dropped == lost
    assert found.values["a"].tolist() == found.values["b"].tolist() == kept
    if lost:
        with pytest.raises(
            ValueError, match=rf"{lost} of {len(held)} rows .*{lost} in 'b'.*--drop"
        ):
            read(False)


def test_nulls_of_parquet_and_nans_of_arrays_are_missing(numbers: Numbers, tmp_path: Path) -> None:
    table = {"a": [1, None, 3, 5], "g": ["u", "v", None, "v"], "b": [1.0, 2.0, 4.0, 8.0]}
    parquet.write_table(pa.table(table), tmp_path / "t.parquet")
    found = numbers(tmp_path / "t.parquet", "a", "g", "b", categorical=["g"], drop=True)
    assert found.dropped == 2 and found.values["b"].tolist() == [1.0, 8.0]
    np.save(tmp_path / "t.npy", np.array([1.0, np.nan, 2.0]))
    assert numbers(tmp_path / "t.npy", "0", drop=True).dropped == 1


def test_a_row_is_counted_before_rows_are_dropped(
    numbers: Numbers, text: Write, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="row 3"):
        numbers(text(tmp_path, "a,b\n1,2\n,2\n1e200,3\n"), "a", drop=True)
