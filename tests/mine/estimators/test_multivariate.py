"""Total correlation and interaction information: on normal data both are known in closed form."""

import math

import numpy as np
import pandas as pd
import pytest

import mine

RNG = np.random.default_rng(0)
FAIR = {"steps": 300, "hidden": (32,), "batch_size": 256, "learning_rate": 5e-3}
R = np.array([[1.0, 0.6, 0.3, 0.0], [0.6, 1.0, 0.5, 0.2], [0.3, 0.5, 1.0, 0.0], [0, 0.2, 0, 1.0]])
ROWS = RNG.multivariate_normal(np.zeros(4), R, 4000)


def normal_information(*sides):
    """I of the columns of R on both sides."""
    a, b = (list(side) for side in sides)
    det = np.linalg.det
    both = R[np.ix_(a + b, a + b)]
    return 0.5 * math.log(det(R[np.ix_(a, a)]) * det(R[np.ix_(b, b)]) / det(both))


INTERACTION = normal_information([0], [1, 2]) - sum(normal_information([0], [k]) for k in (1, 2))


@pytest.mark.parametrize(("method", "options"), [("gaussian", {}), ("mine", FAIR)])
def test_total_correlation_of_normal_columns_is_that_of_their_correlations(method, options):
    found = mine.total_correlation(ROWS, method, **options)
    truth = -0.5 * math.log(np.linalg.det(R))
    assert abs(found.nats - truth) < 3 * found.stderr + 0.03 * bool(options)
    low, high = found.interval()
    assert low < found.nats < high and found.bits == found.nats / math.log(2)
    assert list(found.terms) == ["I(0; 1)", "I(0, 1; 2)", "I(0, 1, 2; 3)"]
    assert found.nats == pytest.approx(sum(e.nats for e in found.terms.values()))


@pytest.mark.parametrize(("method", "options"), [("gaussian", {}), ("mine", FAIR)])
def test_interaction_of_normal_columns_is_that_of_their_correlations(method, options):
    x, y, z = ROWS[:, :3].T
    found = mine.interaction_information(x, y, z, method, **options)
    assert INTERACTION < -0.02  # y and z tell the same of x
    assert abs(found.nats - INTERACTION) < 3 * found.stderr + 0.03 * bool(options)


def test_a_sum_that_needs_both_is_synergy():
    y, z = RNG.normal(size=(2, 3000))
    x = y + z + 0.5 * RNG.normal(size=3000)
    found = mine.interaction_information(x, y, z, "gaussian")
    truth = 0.5 * math.log(9.0) - 2 * 0.5 * math.log(2.25 / 1.25)
    assert found.nats == pytest.approx(truth, abs=0.06) and truth > 0.5


def test_the_error_over_shared_rows_is_not_above_the_sum_of_the_terms_errors():
    x, y, z = ROWS[:1000, :3].T
    found = mine.interaction_information(x, y, z, "mine", **FAIR)
    assert 0 < found.stderr < sum(e.stderr for e in found.terms.values())
    assert all(e.influences == () for e in found.terms.values())
    plain = mine.interaction_information(x, y, z, "gaussian")
    assert plain.stderr == pytest.approx(sum(e.stderr for e in plain.terms.values()))


def test_two_columns_are_their_mutual_information_and_labels_are_taken():
    pair = mine.total_correlation(ROWS[:, :2], "gaussian")
    assert pair.nats == mine.estimate(ROWS[:, 0], ROWS[:, 1], "gaussian").nats
    side = pd.DataFrame(ROWS[:300, :2], columns=["a", "b"]).assign(
        kind=np.where(ROWS[:300, 0] > 0, "up", "down")
    )
    found = mine.total_correlation(side[["kind", "a"]])
    assert found.nats == pytest.approx(math.log(2), abs=0.1)
    quick = {"steps": 20, "hidden": (8,), "batch_size": 50}
    mixed = mine.total_correlation(side, "mine", **quick)
    assert mixed.stderr == pytest.approx(sum(e.stderr for e in mixed.terms.values()))


def test_tables_that_cannot_be_right_are_refused():
    with pytest.raises(ValueError, match="two columns or more, got 1"):
        mine.total_correlation(ROWS[:, :1])
    with pytest.raises(ValueError, match="constant"):
        mine.total_correlation(np.ones((50, 2)))


def test_columns_that_determine_each_other_have_an_infinite_sum():
    x, z = RNG.uniform(-1, 1, size=(2, 300))
    t = mine.total_correlation(np.stack([x, np.sin(5 * x), z], 1), "gaussian")
    assert t.nats == t.bits == math.inf and t.interval() == (math.log(300), math.inf)
    taken = mine.interaction_information(x, np.sin(5 * x), z, "gaussian")
    assert math.isnan(taken.nats) and any("infinite" in w for w in taken.warnings)


def test_an_infinite_term_that_is_taken_off_leaves_no_value():
    """The whole was looked at in too few pairs of columns to be seen as infinite."""
    rng = np.random.default_rng(100)
    x, y, z = rng.normal(size=(1000, 25)), rng.normal(size=(1000, 8)), rng.normal(size=(1000, 12))
    y[:, 0] = np.tanh(x[:, 24])
    found = mine.interaction_information(x, y, z, "gaussian")
    assert math.isnan(found.nats) and math.isnan(found.interval()[0])


def test_an_infinite_whole_is_at_least_what_the_rows_tell_less_what_the_parts_may_take():
    rng = np.random.default_rng(100)
    y, z = rng.normal(size=(2, 1000))
    found = mine.interaction_information(y + z, y, z, "ksg")
    _, *parts = found.terms.values()
    least = math.log(1000) - sum(e.interval()[1] for e in parts)
    assert found.interval() == (pytest.approx(least), math.inf)
