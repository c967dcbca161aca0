"""A table is opened by its ending; what is no table is refused in one line."""

from __future__ import annotations

import gzip
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
from mine.command.tables.source import Source

Opened = Callable[[Path], Source]
Numbers = Callable[..., Columns]
Write = Callable[..., Path]
Frame = Callable[..., pd.DataFrame]
Written = Callable[[Path, str], Path]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv", ".parquet", ".npz"])
def test_every_format_gives_the_columns_that_were_written(
    frame: Frame, numbers: Numbers, written: Written, tmp_path: Path, ending: str
) -> None:
    found = numbers(written(tmp_path, ending), "d", "b, c")
    assert list(found.values) == ["d", "b, c"] and found.rows == 5 and found.dropped == 0
    for name, values in found.values.items():
        np.testing.assert_allclose(values, frame()[name], rtol=1e-15)


@pytest.mark.parametrize("values", [["u", "v", "u"], [3, 1, 3]])
@pytest.mark.parametrize("ending", [".csv", ".parquet", ".npz"])
def test_categories_are_read_as_text(
    numbers: Numbers, tmp_path: Path, values: list[object], ending: str
) -> None:
    path, table = tmp_path / f"t{ending}", pd.DataFrame({"g": values, "a": [1.0, 2.0, 3.0]})
    if ending == ".csv":
        table.to_csv(path, index=False)
    elif ending == ".parquet":
        table.astype({"g": "category"}).to_parquet(path)
    else:
        np.savez(path, g=np.array(values), a=table["a"])
    found = numbers(path, "g", "a", categorical=["g"]).values
    assert found["g"].tolist() == [str(v) for v in values]
    assert found["a"].dtype == np.float64


@pytest.mark.parametrize("ending", [".parquet", ".npz", ".npy", ".csv.gz"])
@given(st.data())
def test_a_spoilt_file_is_refused_in_one_line_or_read(
    opened: Opened, frame: Frame, written: Written, ending: str, data: st.DataObject
) -> None:
    """A flipped byte may hit what nobody reads, or a value; it never gives another error."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t{ending}"
        if ending == ".npy":
            np.save(path, frame().to_numpy())
        else:
            path = written(Path(folder), ending)
        content = bytearray(path.read_bytes())
        if data.draw(st.booleans()):
            content = content[: data.draw(st.integers(0, len(content) - 1))]
        else:
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        complaint = complaint_about(opened, path)
        assert "\n" not in complaint
        assert not complaint or "expected" in complaint or "must" in complaint


def complaint_about(opened: Opened, path: Path) -> str:
    try:
        source = opened(path)
        read_columns(source, source.names)
    except ValueError as error:
        return str(error)
    return ""


def test_files_that_are_no_tables_are_refused(
    numbers: Numbers, opened: Opened, text: Write, tmp_path: Path
) -> None:
    text(tmp_path, "a,b\n1,2\n", "people.csv")
    with pytest.raises(ValueError, match=r"expected a file, .* did you mean 'people.csv'"):
        opened(tmp_path / "peple.csv")
    with pytest.raises(ValueError, match=r"got the folder .*name a table in it .*people\.csv"):
        opened(tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match=r"got the folder .* \(it has no file\)"):
        opened(tmp_path / "none")
    with pytest.raises(ValueError, match=r"expected one of \.csv .*got"):
        opened(text(tmp_path, "x", "t.docx"))
    with pytest.raises(ValueError, match="expected a whole parquet file"):
        opened(text(tmp_path, "a,b\n1,2\n", "t.parquet"))
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n2,1\n")[:-6])
    with pytest.raises(ValueError, match="cannot be read"):
        numbers(tmp_path / "t.csv.gz", "a")


def test_columns_beside_two_of_one_name_are_read(
    numbers: Numbers, text: Write, tmp_path: Path
) -> None:
    table = pa.table([[1, 2], [3, 4], [5, 6]], names=["a", "b", "a"])
    parquet.write_table(table, tmp_path / "t.parquet")
    path = text(tmp_path, "a,b,a\n1,3,5\n2,4,6\n")
    for file in (path, tmp_path / "t.parquet"):
        assert numbers(file, "b").values["b"].tolist() == [3.0, 4.0]
