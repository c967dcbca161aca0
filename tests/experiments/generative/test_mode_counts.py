"""Counts of modes, against counting by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.generative.mode_counts import captured, counts_of, reverse_kl

COUNTS = st.lists(st.integers(0, 500), min_size=2, max_size=30).map(np.array)


def test_a_mode_needs_a_fifth_of_its_fair_part_of_all_samples() -> None:
    counts = np.array([0, 1, 49, 50, 900])
    assert captured(counts, n=1250) == 2  # a fair part is 250, a fifth of it 50
    assert captured(counts, n=1250, share=0.0) == 4  # one sample


@given(COUNTS, st.integers(0, 1000))
def test_the_share_counts_no_more_modes_than_one_sample_does(counts: np.ndarray, off: int) -> None:
    n = int(counts.sum()) + off
    assert 0 <= captured(counts, n) <= captured(counts, n, share=0.0) <= len(counts)


@given(COUNTS.filter(lambda counts: counts.sum() > 0))
def test_reverse_kl_is_log_m_less_the_entropy(counts: np.ndarray) -> None:
    share = counts / counts.sum()
    entropy = -sum(p * math.log(p) for p in share if p)
    assert reverse_kl(counts) == pytest.approx(math.log(len(counts)) - entropy, abs=1e-9)
    assert -1e-9 <= reverse_kl(counts) <= math.log(len(counts)) + 1e-9


def test_reverse_kl_is_greatest_with_all_samples_in_one_mode_and_without_any() -> None:
    assert reverse_kl(np.array([0, 7, 0, 0])) == pytest.approx(math.log(4))
    assert reverse_kl(np.zeros(4, dtype=int)) == pytest.approx(math.log(4))
    assert reverse_kl(np.full(4, 7)) == pytest.approx(0.0)


def test_modes_that_nobody_has_are_counted_as_zero() -> None:
    assert counts_of(np.array([3, 1, 3]), 5).tolist() == [0, 1, 0, 2, 0]
