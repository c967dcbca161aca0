"""Columns are read by name, alone, and refused in one line where they cannot be right."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from mine.command import tables

FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100)


def opened(path: Path | str) -> tables.Source:
    return tables.open_table(str(path), lambda: pytest.fail("stdin is read"))


def numbers(path: Path, *names: str, **options: object) -> tables.Columns:
    return tables.read(opened(path), names, **options)  # type: ignore[arg-type]


def text(folder: Path, content: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(content)
    return path


def frame(rows: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=rows), "b, c": range(rows), "d": rng.random(rows)})


def written(folder: Path, ending: str) -> Path:
    path, table = folder / f"t{ending}", frame()
    match ending:
        case ".csv" | ".csv.gz":
            table.to_csv(path, index=False)
        case ".tsv":
            table.to_csv(path, index=False, sep="\t")
        case ".parquet":
            table.to_parquet(path)
        case ".npz":
            np.savez(path, **{name: column.to_numpy() for name, column in table.items()})
    return path


# ------------------------------------------------------------------ what is read


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv", ".parquet", ".npz"])
def test_every_format_gives_the_columns_that_were_written(tmp_path: Path, ending: str) -> None:
    found = numbers(written(tmp_path, ending), "d", "b, c")
    assert list(found.values) == ["d", "b, c"] and found.rows == 5 and found.dropped == 0
    for name, values in found.values.items():
        np.testing.assert_allclose(values, frame()[name], rtol=1e-15)


def test_columns_of_npy_have_numbers_for_names(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.int16).reshape(3, 2)
    np.save(tmp_path / "two.npy", array)
    assert opened(tmp_path / "two.npy").names == ("0", "1")
    np.testing.assert_array_equal(numbers(tmp_path / "two.npy", "1").values["1"], [1.0, 3.0, 5.0])
    np.save(tmp_path / "one.npy", array[:, 0])
    assert opened(tmp_path / "one.npy").names == ("0",)


def test_columns_of_npz_are_named_by_array_and_number(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez_compressed(path, x=np.arange(6.0).reshape(3, 2), y=np.arange(3.0))
    source = opened(path)
    assert source.names == ("x:0", "x:1", "y")
    assert tables.pick(["x"], source.names, "--x") == ("x:0", "x:1")
    np.testing.assert_array_equal(numbers(path, "x:1").values["x:1"], [1.0, 3.0, 5.0])


def test_stdin_is_csv() -> None:
    source = tables.open_table("-", lambda: io.BytesIO(b"a,b\n1,2\n3,5\n"))
    np.testing.assert_array_equal(tables.read(source, ["b"]).values["b"], [2.0, 5.0])


@given(st.lists(FINITE, min_size=2, max_size=20, unique=True))
def test_csv_keeps_every_bit_of_a_number(values: list[float]) -> None:
    content = "a\n" + "\n".join(map(repr, values))
    source = tables.open_table("-", lambda: io.BytesIO(content.encode()))
    assert tables.read(source, ["a"]).values["a"].tolist() == values


def test_numbers_are_what_python_reads_as_numbers(tmp_path: Path) -> None:
    path = text(tmp_path, '\ufeffa,b\n +1.5 ,1\n"2",2\n-3e-2,3\n')
    assert numbers(path, "a").values["a"].tolist() == [1.5, 2.0, -0.03]


def test_columns_that_are_not_named_are_not_parsed(tmp_path: Path) -> None:
    garbage = "".join(f"{i},\\x{i}§ NaN?,{i * i}\n" for i in range(30))
    path = text(tmp_path, "a,garbage,b\n" + garbage)
    assert numbers(path, "a", "b").rows == 30
    with pytest.raises(ValueError, match="numbers in column 'garbage'"):
        numbers(path, "garbage")


def test_parquet_reads_the_named_columns_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


def test_an_array_that_is_not_named_is_not_loaded(tmp_path: Path) -> None:
    """Its bytes are spoilt behind the header, and nobody notices until it is asked for."""
    path = tmp_path / "t.npz"
    np.savez(path, a=np.arange(99.0), b=np.full(50_000, 7.25))
    content = bytearray(path.read_bytes())
    content[content.rindex(np.float64(7.25).tobytes())] ^= 1
    path.write_bytes(content)
    assert numbers(path, "a").rows == 99
    with pytest.raises(ValueError, match="CRC"):
        numbers(path, "b")


@pytest.mark.parametrize("values", [["u", "v", "u"], [3, 1, 3]])
@pytest.mark.parametrize("ending", [".csv", ".parquet", ".npz"])
def test_categories_are_read_as_text(tmp_path: Path, values: list[object], ending: str) -> None:
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


# ------------------------------------------------------------------ missing values


@given(st.lists(st.booleans(), min_size=4, max_size=30).filter(lambda held: sum(held) >= 2))
def test_rows_with_missing_values_are_refused_or_dropped_and_counted(held: list[bool]) -> None:
    lines = [f"{i},{i if there else ''}" for i, there in enumerate(held)]
    content = "\n".join(["a,b", *lines]).encode()
    lost = held.count(False)

    def read(drop: bool) -> tables.Columns:
        return tables.read(tables.open_table("-", lambda: io.BytesIO(content)), "ab", (), drop)

    kept = [float(i) for i, there in enumerate(held) if there]
    found = read(True)
    assert found.dropped == lost
    assert found.values["a"].tolist() == found.values["b"].tolist() == kept
    if lost:
        with pytest.raises(
            ValueError, match=rf"{lost} of {len(held)} rows .*{lost} in 'b'.*--drop"
        ):
            read(False)


@pytest.mark.parametrize("missing", ["", "NA", "nan", "NaN", "null", "  "])
def test_what_stands_for_a_missing_value(tmp_path: Path, missing: str) -> None:
    path = text(tmp_path, f"a,b\n1,1\n{missing},2\n3,3\n")
    assert numbers(path, "a", "b", drop=True).dropped == 1


def test_nulls_of_parquet_and_nans_of_arrays_are_missing(tmp_path: Path) -> None:
    table = {"a": [1, None, 3, 5], "g": ["u", "v", None, "v"], "b": [1.0, 2.0, 4.0, 8.0]}
    parquet.write_table(pa.table(table), tmp_path / "t.parquet")
    found = numbers(tmp_path / "t.parquet", "a", "g", "b", categorical=["g"], drop=True)
    assert found.dropped == 2 and found.values["b"].tolist() == [1.0, 8.0]
    np.save(tmp_path / "t.npy", np.array([1.0, np.nan, 2.0]))
    assert numbers(tmp_path / "t.npy", "0", drop=True).dropped == 1


# ------------------------------------------------------------------ picking columns


NAMES = ("height", "weight", "age", "a, b")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (["height, age"], ("height", "age")),
        (["age", "height"], ("age", "height")),
        (["a, b"], ("a, b",)),
        (["weight,", "a, b"], ("weight", "a, b")),
    ],
)
def test_columns_are_named_by_commas_or_one_by_one(asked: list[str], found: tuple) -> None:
    assert tables.pick(asked, NAMES, "--x") == found


@given(st.sampled_from(NAMES[:3]), st.data())
def test_a_name_with_one_letter_lost_is_suggested(name: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(name) - 1))
    with pytest.raises(ValueError, match=f"did you mean .*{name}"):
        tables.pick([name[:cut] + name[cut + 1 :]], NAMES, "--x")


def test_names_that_cannot_be_right_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got 'zzz': give one of 'height', .*"):
        tables.pick(["zzz"], NAMES, "--x")
    with pytest.raises(ValueError, match="expected columns for --x, got none"):
        tables.pick([" , "], NAMES, "--x")
    with pytest.raises(ValueError, match="each column once in --y, got 'age'"):
        tables.pick(["age,age"], NAMES, "--y")
    with pytest.raises(ValueError, match="different columns for --x and --y, got 'age'"):
        tables.check_apart(["age", "height"], ["age"])


def test_a_name_that_two_columns_have_is_refused_where_it_is_asked_for() -> None:
    with pytest.raises(ValueError, match="different names, got 'a' 2 times"):
        tables.pick(["a"], ["a", "b", "a"], "--x")
    assert tables.pick(["b"], ["a", "b", "a"], "--x") == ("b",)


def test_columns_beside_two_of_one_name_are_read(tmp_path: Path) -> None:
    table = pa.table([[1, 2], [3, 4], [5, 6]], names=["a", "b", "a"])
    parquet.write_table(table, tmp_path / "t.parquet")
    path = text(tmp_path, "a,b,a\n1,3,5\n2,4,6\n")
    for file in (path, tmp_path / "t.parquet"):
        assert numbers(file, "b").values["b"].tolist() == [3.0, 4.0]


# ------------------------------------------------------------------ bad files


BAD_TEXT = {
    "": "empty file",
    "\n": "header line and rows, got nothing",
    "a,b\n": "expected rows of data, got none",
    "a,b\n1,2\nx1,3\n": r"numbers in column 'a', got 'x1' in row 2: .*--categorical a",
    "a,b\n1,2\n1_000,3\n": "got '1_000' in row 2",
    "a,b\n1,2\n1,3\n": "every column must vary, got 1.0 in all 2 rows of 'a'",
    "a,b\n1,2\n1e300,3\n": r"up to 1e\+150 in size, got 1e\+300 in column 'a', row 2",
    "a,b\n1,2\ninf,3\n": "got inf in column 'a', row 2",
    "a,b\n1,2\n3\n": "Expected 2 columns, got 1",
    "a,b\n1\0,2\n": "zero bytes in it, a binary",
}


@pytest.mark.parametrize(("content", "complaint"), BAD_TEXT.items())
def test_text_that_cannot_be_right_is_refused(
    tmp_path: Path, content: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint) as error:
        numbers(text(tmp_path, content), "a", "b")
    assert "\n" not in str(error.value)


def test_a_row_is_counted_before_rows_are_dropped(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="row 3"):
        numbers(text(tmp_path, "a,b\n1,2\n,2\n1e200,3\n"), "a", drop=True)


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\0\0", b"PAR1\x15\x04\0", os.urandom(4096)]
)
def test_a_binary_is_no_csv(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="rename it by what it holds"):
        opened(path)


@pytest.mark.parametrize("ending", [".parquet", ".npz", ".npy", ".csv.gz"])
@given(st.data())
def test_a_spoilt_file_is_refused_in_one_line_or_read(ending: str, data: st.DataObject) -> None:
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
        complaint = complaint_about(path)
        assert "\n" not in complaint
        assert not complaint or "expected" in complaint or "must" in complaint


def complaint_about(path: Path) -> str:
    try:
        source = opened(path)
        tables.read(source, source.names)
    except ValueError as error:
        return str(error)
    return ""


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "owned"),)

    hostile = np.array([Hostile(), Hostile()], dtype=object)
    np.save(tmp_path / "t.npy", hostile, allow_pickle=True)
    np.savez(tmp_path / "t.npz", a=np.arange(2.0), b=hostile)
    for name in ("t.npy", "t.npz"):
        with pytest.raises(ValueError, match="pickled objects .* not read because they can run"):
            opened(tmp_path / name)
    assert not (tmp_path / "owned").exists()


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    text(tmp_path, "a,b\n1,2\n", "people.csv")
    with pytest.raises(ValueError, match=r"expected a file, .* did you mean 'people.csv'"):
        opened(tmp_path / "peple.csv")
    with pytest.raises(ValueError, match="expected a file"):
        opened(tmp_path)
    with pytest.raises(ValueError, match=r"expected one of \.csv .*got"):
        opened(text(tmp_path, "x", "t.docx"))
    with pytest.raises(ValueError, match="expected a whole parquet file"):
        opened(text(tmp_path, "a,b\n1,2\n", "t.parquet"))
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n2,1\n")[:-6])
    with pytest.raises(ValueError, match="cannot be read"):
        numbers(tmp_path / "t.csv.gz", "a")


def test_arrays_of_other_shapes_and_types_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match=r"got \(2, 2, 2\) for the array"):
        opened(tmp_path / "cube.npy")
    np.savez(tmp_path / "t.npz", a=np.arange(3.0), b=np.arange(4.0), c=np.arange(3) * 1j)
    with pytest.raises(ValueError, match="columns of equal length"):
        numbers(tmp_path / "t.npz", "a", "b")
    with pytest.raises(ValueError, match="numbers in column 'c', got complex128"):
        numbers(tmp_path / "t.npz", "c")


def test_times_in_parquet_are_no_numbers(tmp_path: Path) -> None:
    pd.DataFrame({"t": pd.date_range("2020", periods=3)}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="numbers in column 't', got timestamp"):
        numbers(tmp_path / "t.parquet", "t")


def test_numbers_of_all_arrow_types_are_read(tmp_path: Path) -> None:
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
