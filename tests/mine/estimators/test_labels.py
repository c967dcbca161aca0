"""Labels and counts, as a user brings them: right values, and never more than there is."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import xlogy

import mine
from mine.tasks import ZeroInflatedPoisson

QUICK = {"steps": 60, "hidden": (8,), "batch_size": 64, "learning_rate": 0.02}
RARE = -(0.01 * math.log(0.01) + 0.99 * math.log(0.99))  # the entropy of a label of 1 %


def label(levels, n, rng):
    """y is x in half of the rows, else any level, both as text."""
    x = rng.integers(0, levels, n)
    y = np.where(rng.random(n) < 0.5, x, rng.integers(0, levels, n))
    return x.astype(str), y.astype(str)


def information(levels):
    p = (np.eye(levels) / levels + 1 / levels**2) / 2
    return float(xlogy(p, p * levels**2).sum())


def covers(e, truth):
    low, high = e.interval(0.95)
    return low <= truth <= high


@pytest.mark.parametrize(
    ("levels", "n", "truth"), [(10, 200, 0.63), (20, 400, 0.91), (40, 600, 1.21), (30, 5000, 1.08)]
)
def test_tables_of_text_are_right(levels, n, truth):
    assert information(levels) == pytest.approx(truth, abs=0.005)
    rng = np.random.default_rng(100)
    found = [mine.estimate(*label(levels, n, rng)) for _ in range(10)]
    assert sum(covers(e, information(levels)) for e in found) >= 9
    off = np.mean([e.nats for e in found]) - information(levels)
    assert abs(off) < np.mean([e.stderr for e in found])
    assert {(e.method, e.chosen) for e in found} == {("auto", "plugin")}


def test_tables_of_text_are_seen_to_depend():
    """In every table from 3 x 3 to 20 x 20, as its permuted copies show."""
    rng = np.random.default_rng(100)
    for levels, n in ((3, 150), (10, 400), (20, 1000)):
        assert mine.estimate(*label(levels, n, rng), null=19).p_value == 0.05


@pytest.mark.parametrize("kind", [str, int, float])
def test_zero_inflated_counts_are_right(kind):
    task, g = ZeroInflatedPoisson(0.5), torch.Generator().manual_seed(100)
    x, counts = (v.numpy()[:, 0] for v in task.sample(5000, g))
    e = mine.estimate(x, counts.astype(int).astype(kind))
    assert covers(e, task.mi) and e.stderr < 0.03 and e.chosen == "mixed"


@pytest.mark.parametrize("kind", [bool, int, str])
def test_a_rare_label_that_x_decides_is_found(kind):
    x = np.random.default_rng(100).normal(size=5000)
    e = mine.estimate(x, (x > np.sort(x)[-51]).astype(kind))
    assert covers(e, RARE) and abs(e.nats - RARE) < 0.003
    assert e.share == pytest.approx(1.0, abs=0.05)


def test_networks_find_a_rare_label_whose_rows_are_in_every_part():
    x = np.random.default_rng(100).normal(size=5000)
    e = mine.estimate(x, x > np.sort(x)[-51], "mine", steps=600, hidden=(32,))
    assert 0.03 < e.nats <= e.entropy
    assert [w for w in e.warnings if w.startswith("rare levels: 1 of 2 levels of y have fewer")]


def test_a_label_tells_of_itself_what_it_is():
    rng = np.random.default_rng(100)
    y = np.where(rng.random(40) < 0.25, "a", "b")
    e = mine.estimate(y, y)
    assert e.nats == e.entropy and e.share == 1.0
    assert covers(e, 0.25 * math.log(4) + 0.75 * math.log(4 / 3))
    codes = rng.integers(0, 100, 2000)
    e = mine.estimate(codes.astype(str), (37 * codes % 100).astype(str))
    assert covers(e, math.log(100)) and e.nats <= math.log(100)
    assert e.interval()[1] <= math.log(100)


@pytest.mark.parametrize(
    "method", ["auto", "mine", "js", "ksg", "gaussian_copula", "club", "mixed"]
)
def test_no_method_finds_more_than_the_labels_entropy(method):
    """Two columns that decide a label: what a method finds above its entropy is cut, and said."""
    rng = np.random.default_rng(100)
    x = rng.normal(size=(300, 2))
    side = np.where(x.sum(1) > 0, 3.0, 1.0)
    x += 8 * side[:, None]
    trains = mine.methods()[method].trains and method != "auto"
    e = mine.estimate(x, side.astype(str), method, null=2, **(QUICK if trains else {}))
    assert e.entropy == pytest.approx(math.log(2), abs=0.02)
    assert max(e.nats, *e.null) <= e.entropy
    assert e.interval()[1] <= math.log(2) + 1e-12


@pytest.mark.parametrize(("levels", "n"), [(10, 200), (20, 400), (40, 600)])
@pytest.mark.parametrize("method", ["gaussian", "gaussian_copula"])
def test_a_normal_law_of_labels_is_denied_by_their_table(method, levels, n):
    """Was 1.09 [.67, 1.52] for .63 and 2.52 [1.94, 3.00] for .91."""
    e = mine.estimate(*label(levels, n, np.random.default_rng(100)), method)
    assert covers(e, information(levels)) and e.verdict == "unreliable"
    assert any("the table of levels gives" in w for w in e.warnings)


@pytest.mark.parametrize("seed", [100, 104, 111])
def test_a_normal_law_of_counts_with_a_tail_is_denied_by_their_scores(seed):
    """The table is too unsure to deny it. I is at least .438."""
    rng = np.random.default_rng(seed)
    z, w = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 1000).T
    a, b = np.floor(np.exp(1.5 * z + 1)), np.floor(np.exp(1.5 * w + 1))
    e = mine.estimate(a, b, "gaussian")
    assert e.nats > 0.438 - 0.15 or e.verdict != "reliable"


def test_a_label_tells_of_itself_what_it_is_by_a_normal_law_too():
    y = np.where(np.random.default_rng(100).random(40) < 0.25, "a", "b")
    e = mine.estimate(y, y, "gaussian")
    assert e.nats == e.entropy and covers(e, 0.25 * math.log(4) + 0.75 * math.log(4 / 3))


def test_what_is_cut_is_said():
    rng = np.random.default_rng(100)
    y = rng.integers(0, 2, 200)
    e = mine.estimate(y + 0.1 * rng.normal(size=200), y.astype(str), "gaussian")
    (warning,) = (w for w in e.warnings if w.startswith("above the entropy"))
    assert f"no more than the label's entropy, {e.entropy:.2f}, can be" in warning
    assert e.nats == e.entropy


def test_conditional_information_is_within_the_entropy_too():
    rng = np.random.default_rng(100)
    z, y = rng.integers(0, 2, (2, 400)).astype(str)
    c = mine.conditional(y, np.char.add(y, z), z)
    assert c.nats <= c.label.nats and c.interval()[1] <= math.log(2) + 1e-12
    assert covers(c, math.log(2))


def test_a_difference_is_of_one_method():
    """Of labels it is `plugin`; where only one of its two parts could be, both are trained."""
    rng = np.random.default_rng(100)
    x, z = rng.integers(0, 2, (2, 200)).astype(str)
    c = mine.conditional(x, rng.normal(size=200), z, **QUICK)
    assert c.whole.chosen and {c.whole.chosen, c.part.chosen}.isdisjoint({"plugin", "mixed"})
    c = mine.conditional(rng.normal(size=200), x, z)
    assert c.whole.chosen == c.part.chosen == "mixed"


@pytest.mark.parametrize(("d", "is_near"), [(2, True), (5, False)])
def test_networks_are_trained_where_neighbours_are_far(d, is_near):
    """The place of the largest of five numbers: `mixed` alone gives 1.2 of 1.61 nats."""
    x = np.random.default_rng(100).normal(size=(800, d))
    place = np.array(list("abcde"))[x.argmax(1)]
    e, named = mine.estimate(x, place), mine.estimate(x, place, "mixed")
    assert covers(e, math.log(d)) and (e.chosen == "mixed") == is_near
    assert covers(named, math.log(d)) and (named.verdict == "reliable") == is_near
    assert any(w.startswith("far neighbours") for w in named.warnings) != is_near


def test_few_rows_train_no_networks_on_a_label():
    x = np.random.default_rng(100).normal(size=(90, 3))
    e = mine.estimate(x, np.array(list("abc"))[x.argmax(1)])
    assert e.chosen == "mixed" and e.verdict == "unreliable" and covers(e, math.log(3))


def test_the_scale_from_0_to_1_is_a_normal_pairs_correlation():
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    e = mine.estimate(x, -0.8 * x + 0.6 * rng.normal(size=2000), "gaussian")
    assert e.correlation == pytest.approx(0.8, abs=0.03)
    assert (e.entropy, e.share) == (None, None)
    independent = mine.estimate(x, rng.normal(size=2000), "ksg")
    assert (independent.correlation == 0.0) == (independent.nats <= 0)


def test_phases_lose_nothing_as_cosines_and_sines():
    """A uniform phase and the same with noise: log 2 pi less the entropy of the noise."""
    truth = math.log(2 * math.pi) - 0.5 * math.log(2 * math.pi * math.e * 0.227**2)
    assert truth == pytest.approx(1.90, abs=0.005)
    rng = np.random.default_rng(100)
    phase = rng.uniform(0, 2 * math.pi, size=(5000, 1))
    later = (phase + 0.227 * rng.normal(size=(5000, 1))) % (2 * math.pi)
    for x, y in ((phase, later), [np.hstack([np.cos(v), np.sin(v)]) for v in (phase, later)]):
        assert abs(mine.estimate(x, y, "ksg").nats - truth) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("around", [False, True], ids=["angles", "cosines and sines"])
def test_auto_knows_phases_as_angles_and_as_cosines_and_sines(around):
    """Cosines and sines lost .05 of 1.90 against the angles."""
    truth = math.log(2 * math.pi) - 0.5 * math.log(2 * math.pi * math.e * 0.227**2)
    rng = np.random.default_rng(100)
    phase = rng.uniform(0, 2 * math.pi, size=(5000, 1))
    later = (phase + 0.227 * rng.normal(size=(5000, 1))) % (2 * math.pi)
    x, y = [np.hstack([np.cos(v), np.sin(v)]) if around else v for v in (phase, later)]
    e = mine.estimate(x, y)
    assert covers(e, truth) and abs(e.nats - truth) < 0.05 and e.verdict == "reliable"


def test_names_and_order_of_levels_change_nothing():
    rng = np.random.default_rng(100)
    x = rng.normal(size=500)
    grade = np.digitize(x + rng.normal(size=500), [-1, 0, 1])
    names = np.array(["fair", "poor", "good", "best"])[grade]
    for other in (x, np.digitize(x, [0])):
        values = [mine.estimate(other, v).nats for v in (grade, 10**grade, -grade, names)]
        assert values == pytest.approx([values[0]] * 4, abs=1e-9)


def test_an_estimate_of_5000_labels_trains_nothing():
    x, y = label(30, 5000, np.random.default_rng(100))
    once = mine.estimate(x, y)
    assert once.steps == 0 and once.chosen == "plugin"
    assert repr(mine.estimate(x, y)) == repr(once)


def test_many_columns_beside_a_label_are_trained_on():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6))
    e = mine.estimate(x, np.where(x[:, 0] > 0, "a", "b"), **QUICK)
    assert e.chosen not in ("", "mixed", "plugin") and e.critic is not None


def test_a_critic_of_ones_own_is_trained():
    class Critic(torch.nn.Module):
        def __init__(self, dx, dy):
            super().__init__()
            self.net = torch.nn.Linear(dx + dy, 1)

        def forward(self, x, y):
            return self.net(torch.cat([x, y], -1))

    x, y = label(3, 200, np.random.default_rng(0))
    assert mine.estimate(x, y, critic=Critic, steps=5).critic is not None


def test_numbers_are_refused_by_plugin_with_what_to_do():
    x = np.random.default_rng(0).normal(size=100)
    message = "plugin needs labels or counts on both sides, 5 rows a value or more, got 100 values"
    with pytest.raises(ValueError, match=message):
        mine.estimate(x, x > 0, "plugin")
    with pytest.raises(ValueError, match="mixed needs labels or counts on one side"):
        mine.estimate(x, x, "mixed")


def test_pairs_of_labels_need_no_network():
    rng = np.random.default_rng(100)
    a, b = label(5, 1000, rng)
    table = pd.DataFrame({"a": a, "b": b, "c": rng.normal(size=1000)})
    m = mine.pairwise(table)
    methods = {pair: e.method for pair, e in m.estimates.items()}
    assert methods == {("a", "b"): "plugin", ("a", "c"): "mixed", ("b", "c"): "mixed"}
    assert covers(m.estimates["a", "b"], information(5))
