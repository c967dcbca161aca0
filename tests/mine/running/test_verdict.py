"""The verdict: each rule, and that nothing else counts."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mine.running.estimates import Estimate
from mine.running.verdict import DOUBTFUL, KINDS, RELIABLE, UNRELIABLE, VERDICTS

GOOD = Estimate(0.5, 0.03, 0.52, "mine", 600, 1000, 500)


def test_a_sure_value_is_reliable_and_has_no_reasons():
    assert (GOOD.verdict, GOOD.reasons) == (RELIABLE, ())


@pytest.mark.parametrize(
    ("changes", "word", "reason"),
    [
        ({"nats": math.nan}, UNRELIABLE, "there is no value"),
        ({"nats": -math.inf}, UNRELIABLE, "there is no value"),
        ({"nats": math.inf}, DOUBTFUL, "continuous"),
        ({"nats": 12.0}, UNRELIABLE, "outside -1 to ln n + 5 = 11.9"),
        ({"nats": -1.01}, UNRELIABLE, "outside -1"),
        ({"stderr": 0.0}, UNRELIABLE, "no standard error"),
        ({"stderr": math.nan}, UNRELIABLE, "no standard error"),
        ({"stderr": 0.3}, UNRELIABLE, "reaches 0.59 nats"),
        ({"stderr": 0.1}, DOUBTFUL, "reaches 0.2 nats"),
        ({"nats": 4.0, "stderr": 0.1}, RELIABLE, ""),
        ({"nats": -0.10, "stderr": 0.02}, UNRELIABLE, "below 0 by more than three"),
        ({"nats": -0.05, "stderr": 0.02}, RELIABLE, ""),
        ({"fold_nats": (0.0, 1.0, 0.0, 1.0)}, DOUBTFUL, "the folds disagree"),
        ({"fold_nats": (0.45, 0.55, 0.4, 0.6)}, RELIABLE, ""),
        ({"warnings": ("gap: far",)}, DOUBTFUL, "gap"),
        ({"warnings": ("missing: 36 of 600 rows",)}, RELIABLE, ""),
        ({"warnings": ("gap: far", "diverged: far")}, UNRELIABLE, "diverged"),
        *[({"warnings": (f"{kind}: so",)}, UNRELIABLE, kind) for kind in KINDS],
    ],
)
def test_each_rule(changes, word, reason):
    e = replace(GOOD, **changes)
    assert e.verdict == word
    assert reason in (e.reasons or ("",))[0]


@given(
    st.floats(), st.floats(), st.integers(1, 10**9), st.lists(st.floats(-9, 9), max_size=5),
    st.lists(st.sampled_from([*KINDS, "gap", "few rows"]), max_size=3),
)  # fmt: skip
def test_any_numbers_have_a_verdict_and_bad_ones_are_never_reliable(nats, error, n, folds, kinds):
    warnings = tuple(f"{kind}: so" for kind in kinds)
    e = replace(GOOD, nats=nats, stderr=error, n_test=n, fold_nats=tuple(folds), warnings=warnings)
    assert e.verdict in VERDICTS and (e.reasons == ()) == (e.verdict == RELIABLE)
    if not -1 <= nats <= math.log(n) + 5 and nats != math.inf:
        assert e.verdict == UNRELIABLE
    if set(kinds) & set(KINDS):
        assert e.verdict == UNRELIABLE
