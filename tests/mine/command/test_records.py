"""Estimates as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import mine
from mine.command import records
from mine.command.records import evidence_note


@given(
    st.recursive(
        st.floats() | st.integers() | st.text() | st.none() | st.booleans(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_is_printed_as_json_is_strict_json(value: Any) -> None:
    json.dumps(records.strict(value), allow_nan=False)


def test_an_interval_that_contains_0_is_said_to_be_no_evidence() -> None:
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(2, 300))
    none, some = (mine.estimate(x, y, "gaussian") for y in (noise, x + noise))
    assert evidence_note(none) == [
        "no evidence of a relation: the interval contains 0 (--null 19 gives a p-value)"
    ]
    assert evidence_note(some) == []
