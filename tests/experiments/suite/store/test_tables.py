"""Rows and curves: columns, types, and values that come back from disk as they were."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stored_run import CONFIG, ROW

from experiments.suite.store.joined import join_rows
from experiments.suite.store.measures import measures_of, measures_text
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import (
    CURVE_COLUMNS,
    OPTIONAL,
    ROW_COLUMNS,
    ROW_STATUSES,
    curve_frame,
    row_frame,
)


def test_a_row_has_the_columns_and_types_that_readers_rely_on() -> None:
    assert {name: str(dtype) for name, dtype in row_frame([ROW]).dtypes.items()} == ROW_COLUMNS
    assert {name: str(dtype) for name, dtype in row_frame([]).dtypes.items()} == ROW_COLUMNS
    assert {name: str(dtype) for name, dtype in curve_frame([]).dtypes.items()} == CURVE_COLUMNS


def test_missing_values_are_filled_and_an_unknown_column_is_refused() -> None:
    row = row_frame([{"key": "a", "status": "failed", "reason": "boom", "nats": None}]).iloc[0]
    assert math.isnan(row["nats"]) and math.isnan(row["truth"])
    assert (row["seed"], row["step_diverged"], row["warnings"]) == (0, -1, "")
    with pytest.raises(ValueError, match="got bits as well"):
        row_frame([ROW | {"bits": 1.0}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 0.5}, "expected int64 in column seed, got 0.5"),
        ({"seed": "1"}, "expected int64 in column seed, got '1'"),
        ({"nats": "0.3"}, "expected float64 in column nats, got '0.3'"),
        ({"nats": [1.0]}, "expected float64 in column nats"),
        ({"params": {"rho": 0.5}}, "expected str in column params"),
        ({"status": "done"}, "expected status ok | failed | diverged, got 'done'"),
        ({"status": None}, "expected a value for status"),
        ({"key": None}, "expected a value for key"),
    ],
)
def test_a_value_of_another_type_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        row_frame([ROW | change])
    assert message in str(caught.value)


def test_one_cell_is_one_row(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected one row a cell, got key 'a' twice"):
        Run.create(tmp_path, "gaussian", CONFIG).write_rows(row_frame([ROW, ROW]))


def test_a_table_that_lost_its_types_is_mended_or_refused(tmp_path: Path) -> None:
    run, rows = Run.create(tmp_path, "gaussian", CONFIG), row_frame([ROW])
    run.write_rows(rows.astype({"nats": object, "reason": object})[list(reversed(ROW_COLUMNS))])
    pd.testing.assert_frame_equal(run.read_rows(), rows)
    with pytest.raises(ValueError, match="expected int64 in column seed"):
        run.write_rows(rows.astype({"seed": float}))
    with pytest.raises(ValueError, match="build the table with row_frame"):
        run.write_rows(rows.drop(columns="truth"))


def values(dtype: str) -> st.SearchStrategy[Any]:
    return {
        "str": st.text(max_size=8),
        "int64": st.integers(-(2**63), 2**63 - 1),
        "float64": st.floats(),
    }[dtype]


rows_of_any_value = st.lists(
    st.fixed_dictionaries(
        {name: values(dtype) for name, dtype in ROW_COLUMNS.items()}
        | {"status": st.sampled_from(ROW_STATUSES)}
    ),
    max_size=4,
    unique_by=lambda row: row["key"],
)


@given(rows_of_any_value)
def test_rows_come_back_from_disk_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    run = Run.create(tmp_path_factory.mktemp("outputs"), "gaussian", CONFIG)
    frame = row_frame(rows)
    run.write_rows(frame)
    pd.testing.assert_frame_equal(run.read_rows(), frame, check_exact=True)


def test_a_file_has_measures_only_where_a_row_has_some(tmp_path: Path) -> None:
    run, rows = Run.create(tmp_path, "gaussian", CONFIG), row_frame([ROW, ROW | {"key": "b"}])
    run.write_rows(rows)
    path = run.folder / "rows.parquet"
    assert pq.read_schema(path).names == [n for n in ROW_COLUMNS if n not in OPTIONAL]
    assert "measures" not in (run.folder / "rows.csv").read_text().splitlines()[0]
    pd.testing.assert_frame_equal(run.read_rows(), rows)
    some = rows.assign(measures=["", '{"modes":8}'])
    run.write_rows(some)
    assert pq.read_schema(path).names == [
        n for n in ROW_COLUMNS if n not in OPTIONAL - {"measures"}
    ]
    pd.testing.assert_frame_equal(run.read_rows(), some)


def test_rows_with_and_without_measures_are_joined(tmp_path: Path) -> None:
    plain = Run.create(tmp_path, "gaussian", CONFIG)
    plain.write_rows(row_frame([ROW]))
    other = Run.create(tmp_path, "gaussian", CONFIG | {"more": 1})
    other.write_rows(row_frame([ROW | {"key": "b", "measures": '{"modes":8}'}]))
    assert list(join_rows([plain, other])["measures"]) == ["", '{"modes":8}']


MEASURES = {
    "modes": np.int64(8),
    "share": np.float32(0.5),
    "lost": math.nan,
    "points": torch.tensor([[1.5, math.inf]]),
    "name": "ring",
    "at": {10: [True, None]},
}


def test_measures_are_plain_json_and_null_where_not_finite() -> None:
    text = measures_text(MEASURES)
    assert text == (
        '{"modes":8,"share":0.5,"lost":null,"points":[[1.5,null]],"name":"ring",'
        '"at":{"10":[true,null]}}'
    )
    assert measures_of(text)["points"] == [[1.5, None]]
    assert measures_text({}) == "" and measures_of("") == {}
    with pytest.raises(TypeError):
        measures_text({"network": object()})
    with pytest.raises(ValueError, match="expected a JSON object in the column measures"):
        measures_of("[1]")


def test_a_text_that_is_no_unicode_becomes_one() -> None:
    assert row_frame([ROW | {"reason": "\udcff"}])["reason"][0] == "\\udcff"
