"""Cost against work: what is predicted and left out, what is kept, and that it runs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.growth import page as pages
from benchmarks.growth import work
from benchmarks.growth.__main__ import main
from benchmarks.growth.measuring import FIELDS, costs, measure
from benchmarks.growth.points import (
    KINDS,
    NETWORKS,
    PANELS,
    PARQUET,
    ROWS,
    SCALES,
    Line,
    Point,
    affordable,
    columns_of,
    kinds_of,
    predicted,
    slope,
)
from benchmarks.resuming import Row, read_rows

DOCS = Path(__file__).resolve().parents[1] / "docs"
REMEDY = "run `python -m benchmarks.growth.page docs/results/growth.csv docs/growth.md`"


def row(kind: str, method: str, size: int, cpu: float, mib: float = 200.0) -> Row:
    values = (f"{kind} {size}", kind, method, "50", str(size), "", "1", str(cpu), str(mib))
    return dict(zip(FIELDS, values, strict=True))


# --------------------------------------------------------------------- predicted


@pytest.mark.parametrize("power", [1.0, 1.5, 3.0])
def test_a_power_of_the_size_is_found_and_predicted(power: float) -> None:
    costs = {n: 2.0 * n**power for n in (10, 100, 1_000)}
    assert slope(costs) == pytest.approx(power)
    assert predicted(costs, 10_000) == pytest.approx(2.0 * 10_000**power)


def test_a_cost_that_does_not_grow_yet_is_predicted_to_grow_in_proportion() -> None:
    assert predicted({10: 4.0, 100: 4.0}, 1_000) == 40.0
    assert predicted({10: 4.0}, 20) == 8.0
    assert predicted({}, 20) == 0.0 and math.isnan(slope({10: 4.0}))


def test_a_line_ends_before_the_first_size_that_would_take_too_long() -> None:
    known: dict[int, float] = {}
    sizes = []
    for point in affordable(Line(ROWS, "ksg", (1, 10, 100, 1_000)), known, limit=50.0):
        known[point.size] = 0.1 * point.size
        sizes.append(point.size)
    assert sizes == [1, 10, 100]


def test_a_larger_limit_takes_up_what_was_left_out() -> None:
    known = {1: 1.0, 10: 10.0}
    line = Line(ROWS, "ksg", (1, 10, 100))
    assert [p.size for p in affordable(line, known, 50.0)] == [1, 10]
    assert [p.size for p in affordable(line, known, 150.0)] == [1, 10, 100]


@pytest.mark.parametrize("columns", [2, 3, 5, 46, 142, 1_000])
def test_columns_have_their_pairs(columns: int) -> None:
    assert columns_of(math.comb(columns, 2)) == columns


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_has_every_kind_in_rising_sizes(scale: str) -> None:
    assert kinds_of(SCALES[scale]) == list(KINDS) and set(PANELS) < set(KINDS)
    assert all(list(line.sizes) == sorted(set(line.sizes)) for line in SCALES[scale])


# ---------------------------------------------------------------------- measured


def test_the_rows_have_the_same_truth_however_many_columns_there_are() -> None:
    """The first columns have their correlation and the others none."""
    import mine

    truth = -0.5 * math.log1p(-(work.RHO**2))
    for columns in (1, 4):
        found = mine.estimate(*work.normal(20_000, columns), "gaussian").nats
        assert found == pytest.approx(truth, abs=0.02)


def test_a_point_is_measured_in_a_process_of_its_own_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (Line(ROWS, "ksg", (100,)),)
    file = tmp_path / "rows.csv"
    (found,) = measure(file, lines, limit=60.0)
    assert 50 < float(found["mib"]) < 1000
    assert 0 < float(found["cpu"]) < 60 and found["case"] == "rows 100"
    monkeypatch.setattr("benchmarks.growth.measuring.row_of", None)  # is not called again
    assert measure(file, lines, limit=60.0) == [found] == list(read_rows(file, FIELDS))


def test_a_run_that_was_cut_short_goes_on_with_the_row_that_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def measured(point: Point, method: str, seed: int) -> Row:
        asked.append(point.size)
        return row(point.kind, method, point.size, 1.0 * point.size)

    monkeypatch.setattr("benchmarks.growth.measuring.row_of", measured)
    file, lines = tmp_path / "rows.csv", (Line(ROWS, "ksg", (1, 10, 100)),)
    whole = measure(file, lines, limit=60.0)
    assert asked == [1, 10]
    file.write_text(file.read_text()[:-8])  # a part of the last line
    assert measure(file, lines, limit=60.0) == whole
    assert asked == [1, 10, 10]


@pytest.mark.slow
def test_the_command_measures_every_kind_and_writes_rows_tables_and_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--scale", "tiny", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out.splitlines()
    rows = list(read_rows(tmp_path / "rows.csv", FIELDS))
    assert len(rows) == sum(len(line.sizes) for line in SCALES["tiny"]) == len(shown) - 1
    assert {r["kind"] for r in rows} == set(KINDS)
    assert all(float(r["cpu"]) > 0 and float(r["mib"]) > 50 for r in rows)
    assert (tmp_path / "growth.png").read_bytes()[1:4] == b"PNG"
    assert "| ksg, seconds |" in (tmp_path / "tables.md").read_text()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--limit", "0"], "expected seconds above 0, such as 60, got '0'"),
        (["--scale", "huge"], "invalid choice: 'huge'"),
        (["--out", "{file}/growth"], "expected a folder that can be written"),
    ],
)
def test_bad_arguments_are_refused(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="2"):
        main([word.format(file=tmp_path / "file") for word in words])
    assert complaint in capsys.readouterr().err


# ------------------------------------------------------------------------- shown


def test_the_table_has_seconds_memory_and_what_was_left_out_in_brackets() -> None:
    rows = [row(NETWORKS, "stack", 4**i, 2.0 * 4**i, 200.0 + i) for i in range(6)]
    head, _, seconds, memory = pages.tables(rows).splitlines()[2:]
    assert head.endswith("| 1,024 | 4,096 | last power |")
    assert seconds.startswith("| stack, seconds | 2 | 8 | 32 |")
    assert seconds.endswith("| 2,048 | (8,192) | 1.00 |") and memory.endswith("| 205 |  |  |")


def test_a_line_is_steep_by_its_last_power() -> None:
    rows = [row(ROWS, m, n, n**p) for m, p in (("ksg", 1.1), ("mine", 1.3)) for n in (1, 10)]
    assert pages.steep(rows) == [(ROWS, "mine")]


def test_the_limit_is_that_of_the_commands_on_a_file() -> None:
    assert pages.within_limit([row(PARQUET, "mine", 10, 1.0, 2047.0), row(ROWS, "ksg", 1, 1, 9e9)])
    assert not pages.within_limit([row(PARQUET, "mine", 10, 1.0, 2049.0)])


def test_the_tables_of_the_page_are_those_of_the_rows() -> None:
    rows = list(read_rows(DOCS / "results" / "growth.csv", FIELDS))
    text = (DOCS / "growth.md").read_text(encoding="utf-8")
    assert {kind for kind, _ in costs(rows)} == set(KINDS)
    assert pages.page(text, rows) == text, REMEDY


def test_the_page_has_a_sentence_for_each_line_that_is_steep() -> None:
    rows = list(read_rows(DOCS / "results" / "growth.csv", FIELDS))
    text = (DOCS / "growth.md").read_text(encoding="utf-8")
    said = [line for line in text.splitlines() if line.startswith("- **")]
    for kind, method in pages.steep(rows):
        assert any(f"`{method}`" in line and kind in line for line in said), (kind, method)


def test_a_million_rows_of_ten_columns_stay_within_the_limit() -> None:
    rows = list(read_rows(DOCS / "results" / "growth.csv", FIELDS))
    assert {r["size"] for r in rows if r["kind"] == PARQUET} == {"1000000"}
    assert pages.within_limit(rows)
