"""Entropies from counts: closed forms, and what is taken off by hand."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mine.method.entropy import (
    CHAO_WANG_JOST,
    CORRECTIONS,
    MILLER_MADOW,
    PLUG_IN,
    entropy,
    jackknife,
    label_entropy,
    without_one,
)

COUNTS = st.lists(st.integers(1, 30), min_size=2, max_size=12).map(np.array)


@given(counts=COUNTS)
def test_the_plug_in_value_is_scipys(counts):
    assert entropy(counts, PLUG_IN) == pytest.approx(scipy.stats.entropy(counts), abs=1e-12)


@given(counts=COUNTS)
def test_millers_and_madows_adds_a_half_for_each_degree_of_freedom(counts):
    added = (len(counts) - 1) / (2 * counts.sum())
    assert entropy(counts, MILLER_MADOW) == pytest.approx(scipy.stats.entropy(counts) + added)


def as_printed(counts):
    """Chao, Wang and Jost (2013), Eq. 6, term by term."""
    n, f1, f2 = counts.sum(), (counts == 1).sum(), (counts == 2).sum()
    seen = sum(c / n * sum(1 / k for k in range(c, n)) for c in counts.tolist())
    if not f1:
        return seen
    a = 2 * f2 / ((n - 1) * f1 + 2 * f2) if f2 else 2 / ((n - 1) * (f1 - 1) + 2)
    if a == 1:
        return seen
    tail = -math.log(a) - sum((1 - a) ** r / r for r in range(1, n))
    return seen + f1 / n * (1 - a) ** (1 - n) * tail


@given(counts=st.lists(st.integers(1, 4), min_size=2, max_size=12).map(np.array))
def test_chaos_wangs_and_josts_is_as_printed(counts):
    assert entropy(counts) == pytest.approx(as_printed(counts), abs=1e-6)


@pytest.mark.parametrize("correction", CORRECTIONS)
@given(counts=COUNTS)
def test_a_row_less_is_what_the_other_rows_give(correction, counts):
    found = without_one(counts, correction)
    for i in range(len(counts)):
        fewer = counts - (np.arange(len(counts)) == i)
        assert found[i] == pytest.approx(entropy(fewer, correction), abs=1e-9)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    v = np.random.default_rng(0).normal(size=50)
    mean, error = jackknife((v.sum() - v) / 49)
    assert mean == pytest.approx(v.mean())
    assert error == pytest.approx(v.std(ddof=1) / math.sqrt(50))


def test_the_correction_counts_levels_that_were_not_seen():
    """1,000 equal levels, 500 rows: a third of them are seen. 30 draws."""
    rng = np.random.default_rng(0)
    draws = [np.bincount(rng.integers(0, 1000, 500)) for _ in range(30)]
    error = {
        of: np.mean([entropy(counts, of) for counts in draws]) - math.log(1000)
        for of in CORRECTIONS
    }
    assert abs(error[CHAO_WANG_JOST]) < 0.1
    assert error[PLUG_IN] < -0.8 and error[MILLER_MADOW] < -0.4


def test_a_labels_entropy_is_at_most_that_of_equal_levels():
    codes = np.random.default_rng(0).integers(0, 100, 2000)
    found = label_entropy(codes)
    assert found.nats <= found.most == math.log(100)
    assert abs(found.nats - math.log(100)) < 0.02
    assert label_entropy(np.append(codes, 100)).most == math.inf
