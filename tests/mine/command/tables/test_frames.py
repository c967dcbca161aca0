"""Tables that another library reads whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather

from mine.command.tables.columns import Columns
from mine.command.tables.source import Source

Opened = Callable[[Path], Source]
Numbers = Callable[..., Columns]
TABLE = pd.DataFrame(
    {"a": [1.1, None, 2.3], "g": ["u", "w", "v"], "d": pd.date_range("1970-01-02", periods=3)}
)


@pytest.mark.parametrize("way", ["feather", "records", "lines", "columns", "lists"])
def test_feather_and_json_give_the_columns(numbers: Numbers, tmp_path: Path, way: str) -> None:
    path = tmp_path / ("t.feather" if way == "feather" else "t.json")
    table = TABLE if way == "feather" else TABLE.assign(d=TABLE["d"].dt.strftime("%Y-%m-%d"))
    match way:
        case "feather":
            table.to_feather(path)
        case "records" | "columns":
            table.to_json(path, orient=way, indent=2 if way == "records" else None)
        case "lines":
            table.to_json(path, orient="records", lines=True)
        case "lists":
            path.write_text(pd.Series(table.to_dict("list")).to_json())
    found = numbers(path, "a", "g", "d", drop=True)
    assert found.values["a"].tolist() == [1.1, 2.3] and found.dropped == 1
    assert found.values["g"].tolist() == ["u", "v"]
    assert found.values["d"].tolist() == [1.0, 3.0]


@pytest.mark.parametrize("kind", [pa.string(), pa.string_view(), pa.large_string(), pa.int64()])
def test_a_dictionary_of_any_kind_of_text_holds_categories(
    numbers: Numbers, tmp_path: Path, kind: pa.DataType
) -> None:
    """Polars writes its categories as a dictionary of string views."""
    levels = pa.array([7, 5] if kind == pa.int64() else ["7", "5"], kind)
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0]), levels)
    feather.write_feather(pa.table({"g": column, "a": range(4)}), tmp_path / "t.feather")
    for asked in ((), ("g",)):
        found = numbers(tmp_path / "t.feather", "g", "a", categorical=asked, drop=True)
        assert found.values["g"].tolist() == ["7", "5", "7"]


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a": 1', "[1, 2]", "[]", '"a"'])
def test_json_that_is_no_table_is_refused(opened: Opened, tmp_path: Path, content: str) -> None:
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(ValueError, match="expected"):
        opened(tmp_path / "t.json").read(["a"], ())


def test_a_sheet_is_read_where_a_reader_is_installed(
    numbers: Numbers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pd, "read_excel", lambda path, header: TABLE)
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    assert numbers(tmp_path / "t.xlsx", "g").values["g"].tolist() == ["u", "w", "v"]

    def without(*_: Any, **__: Any) -> None:
        raise ImportError("Missing optional dependency 'openpyxl'. Use pip or conda to install")

    monkeypatch.setattr(pd, "read_excel", without)
    with pytest.raises(ValueError, match="openpyxl to be installed .* pip install openpyxl"):
        numbers(tmp_path / "t.xlsx", "g")
