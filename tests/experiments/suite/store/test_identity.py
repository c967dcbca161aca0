"""A run's id follows what was asked for, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored_run import CONFIG

from experiments.suite.store import identity
from experiments.suite.store.identity import run_id

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(), plain, max_size=4))
def test_an_id_does_not_depend_on_the_order_of_keys(config: dict[str, Any]) -> None:
    assert run_id(config) == run_id(reversed_keys(config))


def test_an_id_follows_every_value_and_the_version() -> None:
    changed = [
        CONFIG,
        CONFIG | {"train": {"learning_rate": 1e-3, "steps": 2001}},
        CONFIG | {"train": {"learning_rate": 1.0000000000000002e-3, "steps": 2000}},
        CONFIG | {"experiment": {"name": "gaussian", "rho": [0.0, -0.5, 0.5]}},
        CONFIG | {"device": "cuda"},
        CONFIG | {"scale": None},
    ]
    ids = {run_id(config) for config in changed} | {run_id(CONFIG, version="9")}
    assert len(ids) == len(changed) + 1
    assert all(len(name) == 12 and int(name, 16) >= 0 for name in ids)


def test_an_id_does_not_follow_where_results_go_or_what_is_logged() -> None:
    elsewhere = CONFIG | {"outputs": "other", "checkpoint_seconds": 1, "time_limit": 2.0}
    assert run_id(CONFIG) == run_id(elsewhere)


def test_an_id_is_the_same_in_every_process() -> None:
    program = (
        "from experiments.suite.store.identity import run_id\n"
        f"print(run_id({CONFIG!r}, version='1'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(identity.__file__).parents[3],
    )
    assert done.stdout.strip() == run_id(CONFIG, version="1")


def test_a_config_that_is_not_plain_data_has_no_id() -> None:
    with pytest.raises(ValueError, match="expected plain data .*set"):
        run_id({"rho": {0.5}})
