"""Values are checked before anything is trained."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from mine.command.tables.columns import Columns, read_columns
from mine.command.tables.opening import open_table
from mine.command.tables.reading import Reading

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


def write_ids(folder: Path, kind: str, ids: list[int]) -> Path:
    path, table = folder / f"t.{kind}", pd.DataFrame({"0": ids, "g": range(len(ids))})
    match kind:
        case "csv":
            table.to_csv(path, index=False)
        case "json":
            table.to_json(path, orient="records")
        case "feather":
            table.to_feather(path)
        case "parquet":
            table.to_parquet(path)
        case "npy":
            np.save(path, table.to_numpy())
    return path


@pytest.mark.parametrize("kind", ["csv", "json", "feather", "parquet", "npy"])
def test_whole_numbers_that_would_be_rounded_are_refused_in_every_format(
    numbers: Numbers, tmp_path: Path, kind: str
) -> None:
    path = write_ids(tmp_path, kind, [2**53 + 1, 5, 9])
    with pytest.raises(ValueError, match=r"up to 2\^53 in column '0', got 9007199254740993"):
        numbers(path, "0")
    assert numbers(path, "0", categorical=["0"]).values["0"][0] == "9007199254740993"
    g = "1" if kind == "npy" else "g"
    found = numbers(path, "0", g, whole=True)
    assert found.left_out == {"0": "it has integers beyond 2^53"} and list(found.values) == [g]
    exact = write_ids(tmp_path, kind, [2**53, 5, 9])
    assert numbers(exact, "0").values["0"].tolist() == [2.0**53, 5.0, 9.0]


@pytest.mark.parametrize("kind", ["csv", "json", "feather", "parquet", "npy"])
def test_what_a_user_says_is_missing_is_not_rounded(
    numbers: Numbers, tmp_path: Path, kind: str
) -> None:
    asked, path = Reading(na=(str(-(2**63)),)), write_ids(tmp_path, kind, [-(2**63), 5, 9])
    found = read_columns(open_table(str(path), io.BytesIO, asked), ["0"], (), True, asked.na)
    assert found.values["0"].tolist() == [5.0, 9.0] and found.dropped == 1


@pytest.mark.parametrize("content", ['{"a": [1, null, 9007199254740993]}', '{"a": [0.5, 1, %d]}'])
def test_whole_numbers_of_json_of_any_size_are_read_or_refused(
    numbers: Numbers, text: Write, tmp_path: Path, content: str
) -> None:
    content = content.replace("%d", str(2**70 + 1))
    with pytest.raises(ValueError, match=r"up to 2\^53 in column 'a'"):
        numbers(text(tmp_path, content, "t.json"), "a", drop=True)
    exact = text(tmp_path, f'{{"a": [0, 1, {2**70}]}}', "t.json")
    assert numbers(exact, "a").values["a"].tolist() == [0.0, 1.0, 2.0**70]


def test_large_numbers_with_a_fraction_or_an_exponent_are_no_whole_numbers(
    numbers: Numbers, text: Write, tmp_path: Path
) -> None:
    path = text(tmp_path, "a,b\n1e20,100000000000000000\n1.5,200000000000000000\n")
    assert numbers(path, "a", "b").values["a"].tolist() == [1e20, 1.5]
    assert numbers(path, "a", "b").values["b"].tolist() == [1e17, 2e17]


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_to_ask_for_categories_changes_no_column_of_text(
    numbers: Numbers, tmp_path: Path, kind: str
) -> None:
    """Blanks around a level are none of it, and a question mark is missing, in either case."""
    path, levels = tmp_path / f"t.{kind}", ["u", "u ", " v", "v", "?", "w"]
    table = pd.DataFrame({"g": levels, "a": range(len(levels))})
    match kind:
        case "csv":
            table.to_csv(path, index=False)
        case "parquet":
            table.to_parquet(path)
        case "npz":
            np.savez(path, g=np.array(levels), a=table["a"])
    for asked in ((), ("g",)):
        found = numbers(path, "g", "a", categorical=asked, drop=True)
        assert found.values["g"].tolist() == ["u", "u", "v", "v", "w"] and found.dropped == 1
