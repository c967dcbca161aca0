"""Numbers, lost cells and durations in words."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from experiments.suite.claims.wording import duration, lost, nats, number


def test_numbers_carry_bits_and_true_minus_signs() -> None:
    assert nats(math.log(2.0)) == "0.693 nats (1.000 bits)"
    assert nats(-1.0, signed=True) == "−1.000 nats (−1.443 bits)"
    assert [number(x) for x in (math.inf, -math.inf, math.nan, -0.0001)] == [
        "∞",
        "−∞",
        "n/a",
        "0.000",
    ]


def test_what_was_lost_is_counted() -> None:
    assert lost(pd.DataFrame({"status": ["ok", "ok"]})) == ""
    assert lost(pd.DataFrame({"status": ["failed"]})) == "; 1 of 1 cell failed"
    both = pd.DataFrame({"status": ["failed", "diverged", "diverged"]})
    assert lost(both) == "; 2 of 3 cells diverged; 1 of 3 cells failed"


@pytest.mark.parametrize(
    ("seconds", "exact", "whole", "coarse"),
    [
        (0.04, "0.0 s", "1 s", "0 s"),
        (48.26, "48.3 s", "48 s", "48 s"),
        (59.7, "1 min 0 s", "1 min 00 s", "60 s"),
        (365, "6 min 5 s", "6 min 05 s", "6 min"),
        (7384.0, "123 min 4 s", "123 min 04 s", "2 h 03 min"),
        (math.nan, "unknown", "unknown", "–"),
        (None, "unknown", "unknown", "–"),
        ("soon", "unknown", "unknown", "–"),
    ],
)
def test_a_duration_is_exact_or_whole_or_coarse(
    seconds: object, exact: str, whole: str, coarse: str
) -> None:
    assert duration(seconds) == duration(seconds, "exact") == exact
    assert duration(seconds, "whole") == whole
    assert duration(seconds, "coarse") == coarse
