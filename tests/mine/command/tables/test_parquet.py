"""Parquet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from mine.command.tables.columns import Columns

Numbers = Callable[..., Columns]
Written = Callable[[Path, str], Path]


def test_parquet_reads_the_named_columns_alone(
    numbers: Numbers, written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked = written(tmp_path, ".parquet"), []
    read = parquet.ParquetFile.read
    monkeypatch.setattr(
        parquet.ParquetFile,
        "read",
        lambda self, columns: asked.append(columns) or read(self, columns=columns),
    )
    numbers(path, "d")
    assert asked == [["d"]]


def test_times_in_parquet_are_no_numbers(numbers: Numbers, tmp_path: Path) -> None:
    pd.DataFrame({"t": pd.date_range("2020", periods=3)}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="numbers in column 't', got timestamp"):
        numbers(tmp_path / "t.parquet", "t")


def test_numbers_of_all_arrow_types_are_read(numbers: Numbers, tmp_path: Path) -> None:
    from decimal import Decimal

    kinds = {
        "bool": [True, False, True],
        "decimal": [Decimal("1.5"), Decimal(2), Decimal(3)],
        "large": [2**63 - 1, 0, 1],
        "text": ["1", "2.5", "3"],
    }
    parquet.write_table(pa.table(kinds), tmp_path / "t.parquet")
    found = numbers(tmp_path / "t.parquet", *kinds).values
    for name, values in kinds.items():
        assert found[name].tolist() == [float(v) for v in values]
