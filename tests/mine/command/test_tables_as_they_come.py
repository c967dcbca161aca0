"""Tables as people and programs write them: one reader for `estimate`, `compare` and `matrix`."""

from __future__ import annotations

import bz2
import gzip
import lzma
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import Result

Run = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]
Complaint = Callable[..., str]

RNG = np.random.default_rng(0)
ROWS = 60
A = RNG.normal(size=ROWS).round(3)
B = (0.8 * A + 0.6 * RNG.normal(size=ROWS)).round(3)
TABLE = pd.DataFrame({"größe": A, "b": B, "g": np.where(A > 0.3, "hoch", "tief")})
CSV = TABLE.to_csv(index=False)
HEADER, *LINES = CSV.splitlines()
PAIR = ("--x", "größe", "--y", "b")
QUICK = ("--method", "gaussian", "--json")


def lines(header: str, *rows: str) -> str:
    return "\n".join((header, *rows)) + "\n"


AS_THEY_COME: Mapping[str, tuple[str | bytes, str]] = {
    "semicolons and decimal commas": (
        TABLE.to_csv(index=False, sep=";", decimal=","),
        "columns parted by ';'; decimal sign ','",
    ),
    "tabs": (TABLE.to_csv(index=False, sep="\t"), "columns parted by tabs"),
    "pipes": (TABLE.to_csv(index=False, sep="|"), "columns parted by '|'"),
    "Latin-1": (CSV.encode("latin-1"), "Latin-1"),
    "UTF-16": (CSV.encode("utf-16"), "UTF-16"),
    "comments and a title": ("# by hand\nPeople\n\n" + CSV, "2 lines above the rows"),
    "units": (lines(HEADER, "m,kg,-", *LINES), "a row of units below the header"),
    "dollars": (
        lines(HEADER, *(f"$ {a},{b},u" for a, b in zip(A, B, strict=True))),
        "'größe' as numbers without '$'",
    ),
    "spaces round names": (lines(" größe , b,g ", *LINES), ""),
    "decomposed letters": (unicodedata.normalize("NFD", CSV), ""),
    "trailing commas": (lines(HEADER, *(line + "," for line in LINES)), ""),
    "per cent": (
        lines(HEADER, *(f"{a},{100 * b:.1f}%,u" for a, b in zip(A, B, strict=True))),
        "'b' as numbers without '%'",
    ),
    "gzip": (gzip.compress(CSV.encode()), "gzip"),
    "bzip2": (bz2.compress(CSV.encode()), "bz2"),
    "xz": (lzma.compress(CSV.encode()), "xz"),
    "zstd": (pa.Codec("zstd").compress(CSV.encode(), asbytes=True), "zstd"),
}


@pytest.mark.parametrize(("content", "said"), AS_THEY_COME.values(), ids=AS_THEY_COME)
def test_every_table_gives_the_numbers_of_the_plain_one_and_says_how_in_a_line(
    read: Read, run: Run, folder: Path, content: str | bytes, said: str
) -> None:
    content = content.encode() if isinstance(content, str) else content
    (folder / "plain.csv").write_text(CSV)
    (folder / "t.csv").write_bytes(content)
    plain = run("estimate", "plain.csv", *PAIR, *QUICK)
    assert plain.stderr == ""
    for path in ("t.csv", "-"):
        found = run("estimate", path, *PAIR, *QUICK, stdin=content)
        assert read(found)["nats"] == pytest.approx(read(plain)["nats"], rel=1e-12)
        assert found.stderr.startswith("mine: recognised ") == bool(said) and said in found.stderr
        assert len(found.stderr.splitlines()) == bool(said)


def test_signs_between_thousands_are_none_of_the_number(
    read: Read, run: Run, folder: Path
) -> None:
    incomes = 101_257.3 + 9_000 * B
    TABLE.assign(b=incomes.round(2)).to_csv("plain.csv", index=False)
    TABLE.assign(b=[f"{v:,.2f}" for v in incomes]).to_csv("t.csv", index=False)
    found = run("estimate", "t.csv", *PAIR, *QUICK)
    assert "'b' as numbers without signs between thousands" in found.stderr
    assert read(found)["nats"] == read(run("estimate", "plain.csv", *PAIR, *QUICK))["nats"]


@pytest.mark.parametrize("mark", ["?", ".", "-", "None", "NA", ""])
def test_marks_of_missing_values_are_refused_or_left_out(
    complaint: Complaint, read: Read, run: Run, folder: Path, mark: str
) -> None:
    Path("plain.csv").write_text(CSV)
    Path("t.csv").write_text(lines(HEADER, *LINES, *[f"{mark},1.0,hoch"] * 3))
    words = "estimate", "t.csv", *PAIR, *QUICK
    assert "3 of 63 rows with some (3 in 'größe'): give --drop-missing" in complaint(run(*words))
    found = read(run(*words, "--drop-missing"))
    assert found["dropped"] == 3
    assert found["nats"] == read(run("estimate", "plain.csv", *PAIR, *QUICK))["nats"]


def test_estimate_compare_and_matrix_have_one_reader(read: Read, run: Run, folder: Path) -> None:
    TABLE.to_csv("t.csv", index=False, sep=";", decimal=",")
    asked = "t.csv", "--no-header", "--skip-rows", "1", "--decimal", ",", "--delimiter", ";"
    pair = "--x", "0", "--y", "1"
    one = run("estimate", *asked, *pair, *QUICK)
    several = run("compare", *asked, *pair, "--method", "gaussian,ksg", "--json")
    table = run("matrix", *asked, "--columns", "0,1", *QUICK)
    assert one.stderr == several.stderr == table.stderr == ""
    assert read(one)["nats"] == read(several)["methods"][0]["nats"] == read(table)["nats"][0][1]
    for words in (("estimate", "t.csv", *PAIR), ("compare", "t.csv", *PAIR), ("matrix", "t.csv")):
        quick = "--method", "gaussian", "--json"
        assert "columns parted by ';'; decimal sign ','" in run(*words, *quick).stderr


def test_no_header_is_said_and_columns_have_numbers(read: Read, run: Run, folder: Path) -> None:
    Path("t.csv").write_text("\n".join(LINES))
    found = run("estimate", "t.csv", "--x", "0", "--y", "1", *QUICK)
    assert found.stderr == "mine: recognised no header: columns are 0 to 2\n"
    assert read(found)["rows"] == ROWS


def test_dates_are_days_and_text_is_categories(read: Read, run: Run, folder: Path) -> None:
    days = pd.date_range("2020-01-31", periods=ROWS).strftime("%d.%m.%Y")
    TABLE.assign(d=days).to_csv("t.csv", index=False)
    found = run("estimate", "t.csv", "--x", "d,g", "--y", "b", *QUICK)
    said = "'d' as days since 1970 (dates); 'g' as categories (text)"
    assert said in found.stderr and read(found)["rows"] == ROWS
    counted = TABLE.assign(d=np.arange(ROWS, dtype=float))
    counted.to_csv("t.csv", index=False)
    same = read(run("estimate", "t.csv", "--x", "d,g", "--y", "b", *QUICK))
    assert read(found)["nats"] == pytest.approx(same["nats"], abs=1e-9)


def test_a_sentinel_is_warned_of_and_is_missing_where_that_is_said(
    read: Read, run: Run, folder: Path
) -> None:
    Path("t.csv").write_text(lines(HEADER, *LINES, *["-999,1.0,hoch"] * 6))
    found = run("estimate", "t.csv", *PAIR, *QUICK)
    assert "warning: column 'größe' has -999 in 6 rows" in found.stderr
    told = run("estimate", "t.csv", *PAIR, *QUICK, "--na=-999", "--drop-missing")
    assert read(told)["dropped"] == 6 and told.stderr == ""
    Path("t.csv").write_text(CSV)
    assert read(told)["nats"] == read(run("estimate", "t.csv", *PAIR, *QUICK))["nats"]


def test_dropping_blames_the_column_that_is_missing(
    complaint: Complaint, run: Run, folder: Path
) -> None:
    drop = "estimate", "t.csv", *PAIR, *QUICK, "--drop-missing"
    TABLE.assign(b=np.nan).to_csv("t.csv", index=False)
    assert "got none of 60 (60 in 'b')" in complaint(run(*drop))
    half = np.arange(ROWS) < ROWS // 2
    TABLE.assign(größe=np.where(half, 1.0, A), b=np.where(half, B, np.nan)).to_csv(
        "t.csv", index=False
    )
    line = complaint(run(*drop))
    assert "got 1.0 in the 30 rows of 'größe' that --drop-missing leaves of 60" in line
    assert "(missing are 30 in 'b'): leave out the column that is missing so often" in line


def test_a_list_column_is_no_category(complaint: Complaint, run: Run, folder: Path) -> None:
    TABLE.assign(parts=[[1, 2]] * ROWS).to_parquet("t.parquet")
    words = "estimate", "t.parquet", "--x", "parts", "--y", "b", "--categorical", "parts"
    assert "one value a row in column 'parts', got list" in complaint(run(*words))


def test_what_is_said_of_text_is_refused_for_what_is_none(
    complaint: Complaint, run: Run, folder: Path
) -> None:
    TABLE.to_parquet("t.parquet")
    for words, option in ((("--decimal", ","), "--decimal"), (("--no-header",), "--no-header")):
        line = complaint(run("estimate", "t.parquet", *PAIR, *words))
        assert f"expected a table of text for {option}" in line
    line = complaint(run("estimate", "t.csv", *PAIR, "--encoding", "latin-0"))
    assert "expected an encoding, got 'latin-0'" in line
    assert "one letter, tab or space" in complaint(run("matrix", "t.csv", "--delimiter", ";;"))


def test_an_infinite_pair_is_infinite_and_no_failure(read: Read, run: Run, folder: Path) -> None:
    TABLE.assign(twice=2 * A).to_csv("t.csv", index=False)
    pair = "--x", "größe", "--y", "twice"
    found = run("estimate", "t.csv", *pair, *QUICK)
    record = read(found)
    assert found.exit_code == 0 and record["infinite"] is True and record["nats"] is None
    shown = run("estimate", "t.csv", *pair, "--method", "gaussian")
    assert shown.exit_code == 0 and "infinite" in shown.stdout and "nan" not in shown.stdout
    several = run("compare", "t.csv", *pair, "--method", "gaussian,ksg", "--plot", "c.png")
    assert several.exit_code == 0 and "infinite" in several.stdout
    words = "matrix", "t.csv", "--columns", "größe,b,twice", "--method", "gaussian"
    table = run(*words, "--plot", "m.png")
    assert table.exit_code == 0 and table.stdout.count("infinite  ") >= 1
    first = read(run(*words, "--json"))["pairs"][1]
    assert first["infinite"] is True and first["y"] == "twice"


@pytest.mark.parametrize("method", ["auto", "mine", "ksg", "gaussian"])
def test_arrays_that_share_a_combination_are_infinite(
    read: Read, run: Run, folder: Path, method: str
) -> None:
    """Was 'turned non-finite at step -1', status 1."""
    x, noise = np.random.default_rng(100).normal(size=(2, 200, 2))
    np.savez("t.npz", x=x, y=np.c_[noise[:, 0], x.sum(1) + noise[:, 0]])
    words = "estimate", "t.npz", "--x", "x:0,x:1", "--y", "y:0,y:1", "--method", method
    shown, found = run(*words), run(*words, "--json")
    assert shown.exit_code == found.exit_code == 0 and shown.stderr == ""
    assert "infinite" in shown.stdout and "step -1" not in shown.stdout
    assert (read(found)["infinite"], read(found)["nats"]) == (True, None)


STEERING = "b\x1b[31m\x9bm\u202e"


@pytest.mark.parametrize("name", ["b$^$", STEERING, "b" * 100_000])
def test_any_name_is_printed_and_drawn_without_harm(
    run: Run, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    TABLE.rename(columns={"b": name})[["größe", name]].to_csv("t.csv", index=False)
    shown = [
        run("matrix", "t.csv", "--method", "gaussian", "--plot", "m.png"),
        run("matrix", "t.csv", "--method", "gaussian", "--json"),
        run("matrix", "t.csv", "--target", "nowhere"),
        run("matrix", "t.csv", "--categorical", "größe", "--method", "gaussian"),
    ]
    assert [one.exit_code for one in shown] == [0, 0, 2, 0]
    assert Path("m.png").read_bytes().startswith(b"\x89PNG")
    printed = "".join(one.stdout + one.stderr for one in shown)
    assert not {"\x1b", "\x9b", "\u202e"} & set(printed)
    assert max(len(one.stderr) for one in shown) < 3000 and len(shown[0].stdout) < 3000


def test_a_header_of_more_than_a_megabyte_is_read(run: Run, folder: Path) -> None:
    """Was 'empty'."""
    names = [f"{i:0300d}" for i in range(4000)]
    rows = np.random.default_rng(0).normal(size=(30, len(names))).round(2).astype(str)
    lines = [",".join(names), *map(",".join, rows)]
    (folder / "t.csv").write_text("\n".join(lines))
    assert len(lines[0]) > 1 << 20
    found = run("estimate", "t.csv", "--x", names[3], "--y", names[-1], "--method", "gaussian")
    assert found.exit_code == 0, found.output
