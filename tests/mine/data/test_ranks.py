"""Middle ranks and normal scores, beside scipy's ranks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import ndtri
from scipy.stats import rankdata

from mine.data.ranks import middle_ranks, normal_scores

COLUMNS = arrays(np.float64, st.integers(1, 40), elements=st.integers(-5, 5).map(float))


@given(COLUMNS)
def test_middle_ranks_are_those_of_scipy(column):
    assert np.array_equal(middle_ranks(column), rankdata(column))


@given(COLUMNS)
def test_normal_scores_are_quantiles_of_the_ranks_column_by_column(column):
    wanted = ndtri(rankdata(column) / (len(column) + 1))
    assert np.array_equal(normal_scores(column), wanted)
    both = normal_scores(np.stack([column, -column], 1))
    assert np.array_equal(both[:, 0], wanted)
    assert np.allclose(both[:, 1], -wanted, atol=1e-12)


def test_no_columns_have_no_scores():
    assert normal_scores(np.empty((5, 0))).shape == (5, 0)
