"""The reader of what is on disk: what a run writes is read, and what none writes is refused."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.suite.store import table_bytes
from experiments.suite.store.reading import MOST_DEPTH, parse_json, parse_yaml, read_file
from experiments.suite.store.schema import fault_in_rows
from experiments.suite.store.serialising import json_bytes, yaml_bytes
from experiments.suite.store.table_bytes import parquet_bytes, read_parquet
from experiments.suite.store.tables import arrow_schema, row_frame

ASCII = st.characters(min_codepoint=32, max_codepoint=126)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(ASCII),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(ASCII, max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(ASCII, max_size=5), PLAIN))
def test_plain_data_come_back_from_yaml(value: dict[str, object]) -> None:
    assert parse_yaml(yaml_bytes({"config": value})) == {"config": value}


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text() | st.lists(st.booleans())))
def test_plain_data_come_back_from_json(value: dict[str, object]) -> None:
    assert parse_json(json_bytes(value)) == value


def test_one_list_in_two_places_needs_no_alias() -> None:
    shared = [1, 2]
    assert parse_yaml(yaml_bytes({"a": shared, "b": shared})) == {"a": shared, "b": shared}


@pytest.mark.parametrize("parse", [parse_json, parse_yaml])
def test_data_of_any_depth_end_in_one_line(parse: object) -> None:
    for levels in (MOST_DEPTH + 1, 2_000, 100_000):
        with pytest.raises(ValueError, match="nested deeper than 40 levels"):
            parse(b"[" * levels + b"]" * levels)  # type: ignore[operator]
    assert parse(b"[" * 20 + b"]" * 20)  # type: ignore[operator]


def test_infinite_values_stand_in_params_alone() -> None:
    assert parse_json('{"clip": Infinity}', infinite=True) == {"clip": math.inf}
    with pytest.raises(ValueError, match="no number of JSON"):
        parse_json('{"clip": Infinity}')


def test_a_file_is_read_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_file(path, 5) == b"12345"
    with pytest.raises(ValueError, match="5 bytes, and 4 are the most"):
        read_file(path, 4)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no regular file"):
        read_file(tmp_path / "pipe")


def test_links_inside_the_outputs_are_followed(tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "gaussian" / "0123456789ab"
    run.mkdir(parents=True)
    (run / "one").write_bytes(b"1")
    (run / "two").symlink_to(run / "one")
    (run / "out").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_bytes(b"2")
    assert read_file(run / "two") == b"1"
    with pytest.raises(ValueError, match="leads out"):
        read_file(run / "out")


def test_a_large_table_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = row_frame({"key": f"{i}", "status": "ok", "reason": "x" * 50} for i in range(500))
    data = parquet_bytes(rows)
    whole = read_parquet(data)
    monkeypatch.setattr(table_bytes, "MOST_UNPACKED", 200_000)
    assert read_parquet(data).equals(whole)
    monkeypatch.setattr(table_bytes, "MOST_UNPACKED", 30_000)
    with pytest.raises(ValueError, match="a table of more than"):
        read_parquet(data)


def test_rows_as_a_run_writes_them_have_no_fault() -> None:
    whole = {"key": "a", "status": "ok", "experiment": "e", "task": "t", "method": "m"}
    good = {**whole, "params": '{"clip": Infinity}', "nats": 0.5, "truth": 0.5, "seconds": 1.0}
    for change, fault in (
        ({}, ""),
        ({"status": "diverged", "nats": math.inf}, ""),
        ({"truth": math.nan, "nats": math.nan, "measures": '{"modes": 7}'}, ""),
        ({"nats": math.nan}, "expected finite nats"),
        ({"params": "[]"}, "expected an object in params"),
        ({"dim": -1}, "expected dim >= 0"),
    ):
        table = pa.Table.from_pandas(
            row_frame([{**good, **change}]), schema=arrow_schema(_columns()), preserve_index=False
        )
        assert fault_in_rows(table).startswith(fault) and bool(fault_in_rows(table)) == bool(fault)


def _columns() -> dict[str, str]:
    from experiments.suite.store.tables import ROW_COLUMNS

    return dict(ROW_COLUMNS)


def test_a_file_with_more_columns_than_any_run_has_is_refused() -> None:
    table = pa.table({f"c{i}": [1] for i in range(101)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    with pytest.raises(ValueError, match="100 columns"):
        read_parquet(sink.getvalue().to_pybytes())
