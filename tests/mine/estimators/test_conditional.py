"""I(X; Y | Z): the chain rule, on normal data where the truth is a partial correlation."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

import mine
from mine.data.local_permutation import local_permutation
from mine.estimators.own_job import own_job
from mine.estimators.rows import as_pair

QUICK = {"steps": 40, "hidden": (8,), "batch_size": 50}
FAIR = {"steps": 400, "hidden": (32,), "batch_size": 256, "learning_rate": 5e-3}
RNG = np.random.default_rng(0)


def chain(n, strength):
    """Z -> X and Z -> Y, and X -> Y of this strength; corr(X, Y | Z) is known."""
    z, e, f = RNG.normal(size=(3, n))
    x = z + e
    return x, z + strength * e + f, z


def test_what_z_explains_is_not_counted():
    x, y, z = chain(6000, 0.0)
    c = mine.conditional(x, y, z, **FAIR)
    assert mine.estimate(x, y, **FAIR).nats > 0.1
    assert abs(c.nats) < 3 * c.stderr + 0.02


def test_what_is_left_beside_z_is_the_partial_correlations_information():
    x, y, z = chain(6000, 1.0)
    truth = -0.5 * math.log(1 - 0.5)
    c = mine.conditional(x, y, z, **FAIR)
    assert abs(c.nats - truth) < 3 * c.stderr + 0.04
    low, high = c.interval()
    assert low < c.nats < high and c.bits == c.nats / math.log(2)


def test_the_value_is_the_difference_of_its_parts():
    x, y, z = chain(300, 1.0)
    c = mine.conditional(x, y, z, **QUICK)
    assert c.nats == c.whole.nats - c.part.nats
    assert c.whole.influences == c.part.influences == ()


def test_the_error_is_smaller_than_that_of_independent_parts_where_z_tells_much():
    z, e, f = RNG.normal(size=(3, 4000))
    c = mine.conditional(z + 0.5 * e, f, z, **FAIR)
    assert c.part.nats > 0.5
    assert c.stderr < 0.7 * math.hypot(c.whole.stderr, c.part.stderr)


@pytest.mark.slow
def test_the_error_is_the_spread_over_data_sets():
    found = [mine.conditional(*chain(1500, 1.0), seed=s, **FAIR) for s in range(24)]
    spread = np.std([c.nats for c in found], ddof=1)
    assert 0.6 < np.mean([c.stderr for c in found]) / spread < 1.6


def test_both_parts_are_tested_on_the_same_rows():
    """Where Y is a copy of Z nothing is left, and what a row adds to both cancels."""
    x, _, z = chain(3000, 1.0)
    c = mine.conditional(x, z, z, **FAIR)
    assert c.stderr < 0.5 * math.hypot(c.whole.stderr, c.part.stderr)
    a, b = (own_job(*as_pair(x, v), "mine", 0, key="k") for v in (z, np.stack([z, z**2], 1)))
    parts = [j.source.split.deal(3000, j.generator("split")) for j in (a, b)]
    assert all((one == other).all() for one, other in zip(*parts, strict=True))


def test_parts_that_are_dealt_otherwise_have_errors_that_add_up():
    """A label in z is spread over the parts of I(X; Z), and not over those of I(X; (Y, Z))."""
    x, y = RNG.normal(size=(2, 300))
    z = np.where(RNG.random(300) < 0.1, "a", "b")
    c = mine.conditional(x, y, z, "mine", **QUICK)
    assert c.stderr == pytest.approx(c.whole.stderr + c.part.stderr)


def test_folds_pool_both_parts_and_their_error():
    x, y, z = chain(601, 1.0)
    c = mine.conditional(x, y, z, folds=3, **QUICK)
    assert c.whole.n_test == c.part.n_test == 601
    assert 0 < c.stderr < math.hypot(c.whole.stderr, c.part.stderr)


def test_tables_with_categories_may_be_given_and_ksg_asked():
    x, y, z = chain(600, 1.0)
    side = pd.Series(np.where(z > 0, "r", "l"))
    assert math.isfinite(
        mine.conditional(pd.DataFrame({"x": x, "s": side}), y, side, **QUICK).nats
    )
    c = mine.conditional(x, y, z, method="ksg")
    assert c.stderr == pytest.approx(math.hypot(c.whole.stderr, c.part.stderr))


def test_warnings_name_their_part():
    x, y, _ = chain(100, 1.0)
    found = mine.conditional(x, y, RNG.normal(size=(100, 9)), **QUICK).warnings
    assert any(w.startswith("I(X; (Y, Z)): few rows") for w in found)


def test_unequal_rows_are_refused():
    x, y, z = chain(100, 1.0)
    with pytest.raises(ValueError, match="x and z must pair up row by row, got 100 and 90 rows"):
        mine.conditional(x, y, z[:90])
    with pytest.raises(ValueError, match="column 0 of z constant"):
        mine.conditional(x, y, 0 * z)


def test_the_same_call_twice_gives_the_same_bits():
    rows = chain(200, 1.0)
    one, two = (mine.conditional(*rows, **QUICK) for _ in range(2))
    assert repr(one) == repr(two)


def test_a_p_value_is_small_where_x_tells_more_than_z_and_counts_the_copies():
    x, y, z = chain(300, 1.0)
    c = mine.conditional(x, y, z, "gaussian", null=19)
    assert c.p_value == 0.05 and len(c.null) == 19
    assert max(c.null) < c.nats
    assert mine.conditional(x, y, z, "gaussian").p_value is None
    assert c.nats == mine.conditional(x, y, z, "gaussian").nats


@pytest.mark.parametrize("columns", [1, 10])
@pytest.mark.parametrize("method", ["gaussian", "ksg"])
def test_copies_given_z_are_as_the_rows_where_x_tells_no_more(method, columns):
    """Copies that forgot z, too, would lie far below the value, or far above 0."""
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        z, noise = rng.normal(size=(400, columns)), rng.normal(size=(2, 400))
        x, y = z.mean(1) * math.sqrt(columns) + 0.7 * noise
        found.append(mine.conditional(x, y, z, method, seed, null=9))
    assert np.mean([c.p_value for c in found]) > 0.3
    assert np.mean([c.nats for c in found]) == pytest.approx(
        np.mean([c.null for c in found]), abs=0.03
    )


def test_curved_common_causes_of_several_columns_seldom_have_small_p_values():
    """`gaussian` knows lines alone: the copies must keep what the curves of z add to x and y."""
    small = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        z, noise = rng.normal(size=(500, 5)), rng.normal(size=(2, 500))
        x, y = np.tanh(2.0 * z).sum(1) / math.sqrt(5.0) + 0.7 * noise
        small += mine.conditional(x, y, z, "gaussian", seed, null=19).p_value <= 0.05
    assert small <= 3


def test_a_trained_method_trains_its_copies_too():
    x, y, z = chain(200, 1.0)
    c = mine.conditional(x, y, z, "mine", null=2, **QUICK)
    again = mine.conditional(x, y, z, "mine", null=2, **QUICK)
    assert len(set(c.null)) == 2 and c.null == again.null
    assert c.whole.null == c.part.null == ()


def test_labels_of_z_permute_y_within_each_level_alone():
    z = torch.arange(4).repeat(30)[:, None].double()
    y = torch.arange(120)[:, None].double()
    how = local_permutation(y, z, [True], [False])
    copy = how.copied(torch.cat([y, z], 1), torch.Generator().manual_seed(0))
    assert sorted(copy[:, 0].tolist()) == y[:, 0].tolist() and not torch.equal(copy[:, :1], y)
    assert torch.equal(copy[:, 0] % 4, z[:, 0]) and torch.equal(copy[:, 1:], z)


def test_numbers_of_z_permute_y_among_near_rows_of_a_stratum():
    level = torch.arange(2).repeat_interleave(100)[:, None].double()
    place = torch.rand(200, 1, generator=torch.Generator().manual_seed(1)).double()
    how = local_permutation(place, torch.cat([level, place], 1), [True, False], [False] * 2)
    copy = how.copied(place + 10 * level, torch.Generator().manual_seed(0))[:, 0]
    assert torch.equal((copy > 5).double(), level[:, 0])
    assert float((copy - 10 * level[:, 0] - place[:, 0]).abs().max()) < 0.15
    assert len(copy.unique()) > 150


def test_several_columns_of_numbers_in_z_are_warned_of_and_dependent_rows_refused():
    x, y, z = chain(200, 0.0)
    c = mine.conditional(x, y, np.stack([z, z**3], 1), "gaussian", null=1)
    assert c.warnings[0].startswith("conditional p-value: z has 2 columns")
    assert not mine.conditional(x, y, z, "gaussian", null=1).warnings
    with pytest.raises(ValueError, match="no groups, order or blocks beside null"):
        mine.conditional(x, y, z, "gaussian", null=1, order="time")
    with pytest.raises(ValueError, match="null must be a whole number"):
        mine.conditional(x, y, z, "gaussian", null=-1)


@pytest.mark.parametrize("method", ["auto", "mine", "ksg", "gaussian"])
def test_a_relation_without_noise_is_infinite_given_z(method):
    """Was .0098 [.004, .015] by `mine`: x, y and z without names were one column."""
    x, z = np.random.default_rng(100).uniform(-1, 1, size=(2, 300))
    c = mine.conditional(x, np.sin(5 * x), z, method, null=1, **_fair(method))
    low, high = c.interval()
    assert c.nats == c.bits == high == math.inf and 4 < low < math.log(300) + 1
    assert c.warnings[0].startswith("I(X; (Y, Z)): infinite") and c.p_value == 0.5


def test_nothing_is_told_of_what_z_determines():
    x, y = np.random.default_rng(100).normal(size=(2, 300))
    c = mine.conditional(x, y, 3 * x, "gaussian", null=3)
    assert math.isnan(c.nats) and c.p_value == 1.0
    assert any(w.startswith("I(X; Z): infinite") for w in c.warnings)


def test_what_the_rows_tell_against_a_part_widens_the_interval():
    """A checkerboard, ln 2, of which 20 steps see nothing; the part's wide error was dropped."""
    rng = np.random.default_rng(100)
    column = rng.integers(0, 4, 2000)
    row = 2 * rng.integers(0, 2, 2000) + column % 2
    x, y, z = column + rng.random(2000), row + rng.random(2000), rng.random(2000)
    little = {"steps": 20, "hidden": (8,)}
    c = mine.conditional(x, y, z, "mine", **little)
    assert any("neighbours see more" in w for w in c.warnings)
    t = mine.total_correlation(np.stack([x, y, z], 1), "mine", **little)
    for low, high in (c.interval(), t.interval()):
        assert low < math.log(2) < high


def _fair(method):
    return QUICK if mine.methods()[method].trains else {}
