"""Parquet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from mine.command.tables.columns import Columns
from mine.command.tables.parquet import Parquet
from mine.command.tables.reading import Reading
from mine.data.columns import as_columns

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


def test_times_in_parquet_are_days(numbers: Numbers, tmp_path: Path) -> None:
    times = pd.to_datetime(["1970-01-02 00:00", "1970-01-03 12:00", None])
    kinds = {"t": times, "d": [*times[:2].date, None], "e": times - times[0]}
    pd.DataFrame(kinds).to_parquet(tmp_path / "t.parquet")
    found = numbers(tmp_path / "t.parquet", "t", "e", "d", drop=True)
    assert found.values["t"].tolist() == [1.0, 2.5] and found.dropped == 1
    assert found.values["d"].tolist() == [1.0, 2.0] and found.values["e"].tolist() == [0.0, 1.5]
    assert set(found.taken_as.values()) == {"days since 1970 (dates)"}


def test_a_dictionary_of_numbers_holds_categories_as_in_the_library(
    numbers: Numbers, tmp_path: Path
) -> None:
    frame = pd.DataFrame({"g": pd.Series([10, 2, 10]).astype("category"), "a": [1.0, 2.0, 3.0]})
    frame.to_parquet(tmp_path / "t.parquet")
    found = numbers(tmp_path / "t.parquet", "g", "a")
    assert found.values["g"].tolist() == ["10", "2", "10"]
    assert found.taken_as == {"g": "categories (a dictionary)"}
    assert as_columns("x", frame[["g"]])[1].levels == (("10", "2"),)


def test_what_a_parquet_file_claims_is_bounded(tmp_path: Path) -> None:
    column = pa.array([0.0]).take(pa.array([0] * 100_000))
    parquet.write_table(pa.table({"a": column, "b": column}), tmp_path / "t.parquet")
    source = Parquet.of(str(tmp_path / "t.parquet"), Reading(most_bytes=10**6))
    assert len(source.read(["a"], ())["a"].values) == 100_000
    with pytest.raises(ValueError, match=r"at most 0.001 GB .* allow more by --max-gb"):
        source.read(["a", "b"], ())


def test_numbers_of_all_arrow_types_are_read(numbers: Numbers, tmp_path: Path) -> None:
    from decimal import Decimal

    kinds = {
        "bool": [True, False, True],
        "decimal": [Decimal("1.5"), Decimal(2), Decimal(3)],
        "large": [2**53, 0, 1],
        "text": ["1", "2.5", "3"],
    }
    parquet.write_table(pa.table(kinds), tmp_path / "t.parquet")
    found = numbers(tmp_path / "t.parquet", *kinds).values
    for name, values in kinds.items():
        assert found[name].tolist() == [float(v) for v in values]
