"""Folds become one estimate."""

import math

import pytest

from mine.running.estimates import Estimate
from mine.running.pooling import pooled


def test_folds_are_pooled_by_their_rows():
    a, b = (
        Estimate(v, s, v, "mine", 60, n, 10, warnings=(w, "gap: of one"), validation_nats=v)
        for v, s, n, w in ((1.0, 0.3, 20, "few rows: a"), (2.0, 0.4, 60, "few rows: b"))
    )
    both = pooled([a, b])
    assert (both.nats, both.validation_nats, both.n_test) == (1.75, 1.75, 80)
    assert both.stderr == pytest.approx(math.hypot(0.25 * 0.3, 0.75 * 0.4))
    assert both.warnings == ("few rows: a", "gap: of one")
