"""Rows that hang together: the seen cases are right or refused; so are wrong options."""

import numpy as np
import pytest
import torch
from scipy.signal import lfilter
from sklearn.feature_selection import SelectKBest

import mine
from mine.data.autocorrelation import block_length
from mine.sklearn import MutualInfoWarning, mutual_info

SMALL = {"hidden": (16,), "steps": 100, "batch_size": 64}


def autoregressive(phi, rng, n=2000):
    shocks = rng.normal(size=n + (0 if phi == 1 else 2000))
    return lfilter([1.0], [1.0, -phi], shocks)[-n:]


def patients(seed=0, count=40, visits=50):
    """x near each patient's own, and a label of the patient that tells nothing of it."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(count), visits)
    own, label = rng.normal(size=(count, 5)), rng.integers(0, 2, count)
    x = own[who] + 0.3 * rng.normal(size=(len(who), 5))
    return x, np.where(label[who] == 1, "ill", "well"), who


def contains(e, truth):
    low, high = e.interval()
    return low <= truth <= high


# ----------------------------------------------------------------- seen cases


@pytest.mark.parametrize("seed", [0, 3])
def test_autoregressive_series_of_99_hundredths_get_an_honest_interval_or_no_answer(seed):
    rng = np.random.default_rng(seed)
    x, y = (autoregressive(0.99, rng) for _ in range(2))
    x, y = (torch.from_numpy(v)[:, None] for v in (x, y))
    if 12 * block_length(x, y) > 2000:
        with pytest.raises(ValueError, match="no answer: expected at least 12 blocks"):
            mine.estimate(x, y, order="time")
        return
    found = [mine.estimate(x, y, m, order="time", **SMALL) for m in ("auto", "mine")]
    found.append(mine.estimate(x, y, "gaussian", order="time"))
    assert all(contains(e, 0.0) or e.nats < 0.0 for e in found)


def test_random_walks_have_no_answer():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x, y = (autoregressive(1.0, rng) for _ in range(2))
        with pytest.raises(ValueError, match=r"no answer: .* bring \d+ rows or more, or take the"):
            mine.estimate(x, y, order="time")


@pytest.mark.parametrize("method", ["auto", "mine", "gaussian", "ksg"])
def test_labels_of_patients_tell_nothing_when_they_are_groups(method):
    x, y, who = patients()
    options = SMALL if method in ("auto", "mine") else {}
    e = mine.estimate(x, y, method, groups=who, **options)
    assert e.interval()[0] < 0.02 and e.nats < 0.1
    assert not any(w.startswith("dependent") for w in e.warnings)


def test_what_hangs_together_unsaid_is_warned_of():
    x, y, _ = patients()
    assert mine.estimate(x, y, "gaussian").warnings[0].startswith("dependent rows")
    rng = np.random.default_rng(0)
    for phi in (0.99, 1.0):
        a, b = (autoregressive(phi, rng) for _ in range(2))
        assert mine.estimate(a, b, "gaussian").warnings[0].startswith("dependent rows")
    a, b = rng.normal(size=(2, 2000))
    assert mine.estimate(a, b, "gaussian").warnings == ()


@pytest.mark.parametrize("method", ["auto", "mine", "ksg", "gaussian", "gaussian_copula"])
def test_what_hangs_together_unsaid_is_never_reliable(method):
    """Were .198 [.147, .249], .63 [.46, .80] and .635 [.614, .655] for 0, said with no word."""
    rng = np.random.default_rng(100)
    slow = [autoregressive(0.99, rng) for _ in "xy"]
    walks = [autoregressive(1.0, rng) for _ in "xy"]
    trains = mine.methods()[method].trains
    for x, y in (slow, walks, patients(100)[:2]):
        takes_mixed = method == "auto" and y.dtype.kind == "U"
        e = mine.estimate(x, y, method, **(SMALL if trains and not takes_mixed else {}))
        assert e.verdict == "unreliable" and e.reasons[0].startswith(("dependent", "the 95 %"))
        assert e.warnings[0].startswith("dependent rows")


def test_slow_series_in_a_table_are_warned_of_pair_by_pair():
    rng = np.random.default_rng(100)
    table = np.stack([autoregressive(0.99, rng) for _ in range(3)], 1)
    found = mine.pairwise(table, method="gaussian").estimates.values()
    assert all(e.warnings[0].startswith("dependent rows") for e in found)
    with pytest.warns(MutualInfoWarning, match="dependent rows"):
        mutual_info(table[:, :2], table[:, 2], method="gaussian")


@pytest.mark.parametrize("method", ["gaussian", "gaussian_copula"])
def test_a_slow_series_is_refused_or_has_no_small_p_value(method):
    """Coefficient .99: p was .05, the least that 19 copies can give."""
    answered = []
    for seed in range(100, 130):
        rng = np.random.default_rng(seed)
        x, y = (torch.from_numpy(autoregressive(0.99, rng))[:, None] for _ in "xy")
        if 12 * block_length(x, y) > 2000:
            with pytest.raises(ValueError, match=r"no answer: .* bring \d+ rows or more"):
                mine.estimate(x, y, method, order="time", null=19)
        else:
            answered.append(mine.estimate(x, y, method, order="time", null=19))
    assert len(answered) >= 5
    assert sum(e.p_value <= 0.05 for e in answered) <= 2
    assert sum(e.interval()[0] > 0.0 for e in answered) <= 2


@pytest.mark.parametrize("method", ["gaussian", "ksg", "mine"])
def test_a_coupled_series_has_the_information_of_its_rows(method):
    """Shocks of correlation .6, one coefficient: the rows' is .6 too, and I = .223 nats."""
    rng = np.random.default_rng(0)
    shocks = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 5000)
    x, y = lfilter([1.0], [1.0, -0.8], shocks, axis=0)[1000:].T
    options = {"hidden": (32,), "steps": 400, "folds": 5} if method == "mine" else {}
    e = mine.estimate(x, y, method, order="time", **options)
    truth = -0.5 * np.log(1 - 0.36)
    assert abs(e.nats - truth) < 0.06 and contains(e, truth)


def test_a_block_shorter_than_the_influences_hang_together_is_warned_of():
    rng = np.random.default_rng(0)
    shocks = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 3000)
    x, y = lfilter([1.0], [1.0, -0.95], shocks, axis=0).T
    y = np.abs(y)  # normal scores tell nothing of it: no pair of columns widens the interval
    short, right = (
        mine.estimate(x, y, "mine", **how, **SMALL) for how in ({"blocks": 2}, {"order": "time"})
    )
    assert any(w.startswith("short blocks") for w in short.warnings)
    assert not any(w.startswith("short blocks") for w in right.warnings)
    assert right.stderr > 1.5 * short.stderr


def test_a_pair_of_columns_tells_no_more_than_independent_rows_can():
    """Chance correlates two slow series; as many independent rows would not."""
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, y = (autoregressive(0.98, rng, 4000) for _ in "xy")
        found.append(mine.estimate(x, y, "mine", order="time", **SMALL))
    assert not [w for e in found for w in e.warnings if w.startswith("one pair")]


# ------------------------------------------------------------------ p-values


def test_copies_that_permute_groups_give_a_p_value_that_is_not_small_by_chance():
    """Copies that permuted rows would give p = .05 on each."""
    found = [
        mine.estimate(x, y, "gaussian", groups=who, null=19).p_value
        for seed in range(20)
        for x, y, who in [patients(seed)]
    ]
    plain = [mine.estimate(*patients(seed)[:2], "gaussian", null=19).p_value for seed in range(20)]
    assert sum(p <= 0.05 for p in found) <= 4 and sum(p <= 0.05 for p in plain) >= 18


def test_copies_that_shift_a_series_do_so_too():
    found, plain = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, y = (autoregressive(0.9, rng) for _ in range(2))
        found.append(mine.estimate(x, y, "gaussian", order="time", null=19).p_value)
        plain.append(mine.estimate(x, y, "gaussian", null=19).p_value)
    assert sum(p <= 0.05 for p in found) <= 4 and sum(p <= 0.05 for p in plain) >= 8


# ------------------------------------------------------------------- stacks


def test_a_stack_of_grouped_pairs_is_each_of_them_alone():
    found = [patients(seed, 24, 10) for seed in range(3)]
    pairs, groups = [(x, y) for x, y, _ in found], [who for *_, who in found]
    together = mine.estimate_many(pairs, "mine", groups=groups, folds=5, **SMALL)
    alone = [
        mine.estimate(*pair, "mine", groups=who, folds=5, **SMALL)
        for pair, who in zip(pairs, groups, strict=True)
    ]
    assert [e.nats for e in together] == pytest.approx([e.nats for e in alone], abs=1e-5)
    assert [e.stderr for e in together] == pytest.approx([e.stderr for e in alone], rel=1e-3)


def test_copies_share_the_stack_of_groups_of_several_sizes():
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(30), rng.integers(3, 12, 30))
    x, y = rng.normal(size=(2, len(who)))
    e = mine.estimate(x, y, groups=who, null=2, **SMALL)
    assert len(e.null) == 2 and e.n_test == len(who)


def test_the_names_of_groups_do_not_matter():
    x, y, who = patients(0, 24, 10)
    numbers = mine.estimate(x, y, "mine", groups=who, **SMALL)
    assert mine.estimate(x, y, "mine", groups=[f"{w:02d}" for w in who], **SMALL) == numbers


# ----------------------------------------------------------- other functions


def test_conditional_information_of_grouped_labels_is_nothing():
    x, y, who = patients(1, 40, 20)
    c = mine.conditional(x[:, :1], y, x[:, 1:2], "mine", groups=who, folds=5, **SMALL)
    low, high = c.interval()
    assert low - 0.02 < 0.0 < high + 0.02
    timed = mine.conditional(*np.random.default_rng(0).normal(size=(3, 400)), blocks=3, **SMALL)
    assert abs(timed.nats) < 0.3


def test_all_pairs_of_a_table_take_groups_and_order():
    x, _, who = patients(0, 24, 10)
    m = mine.pairwise(x[:, :3], groups=who, **SMALL)
    plain = mine.pairwise(x[:, :3], method="gaussian")
    grouped = mine.pairwise(x[:, :3], method="gaussian", groups=who)
    timed = mine.pairwise(x[:, :3], method="gaussian", blocks=10)
    assert m.names == ("0", "1", "2")
    off = ~np.eye(3, dtype=bool)
    assert (grouped.stderr[off] > plain.stderr[off]).all()
    assert (timed.stderr[off] > plain.stderr[off]).all()


def test_scores_of_features_take_groups():
    x, y, who = patients(0, 40, 50)

    def score(X, y):
        return mutual_info(X, y, groups=who, steps=300)

    grouped = SelectKBest(score, k=2).fit(x, y).scores_
    assert grouped.max() < 0.05
    with pytest.warns(MutualInfoWarning, match="rows"):
        assert mutual_info(x, y, steps=300).max() > grouped.max() + 0.05


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": np.arange(200) // 20}, "expected at least 20 groups, got 10"),
        ({"groups": np.minimum(np.arange(200) // 2, 75)}, "more than a tenth of the rows, got"),
        ({"groups": np.arange(199)}, "groups must have a value a row, got 199 for 200"),
        ({"groups": np.zeros((200, 2))}, r"groups must have shape \(n,\), got \(200, 2\)"),
        ({"groups": [None, *range(199)]}, "groups must be known, got a missing one"),
        ({"groups": np.arange(200), "order": "time"}, "expected groups or order and blocks"),
        ({"order": "file"}, r"order must be one of \['time'\], got 'file'"),
        ({"blocks": 0}, "blocks must be a whole number of rows >= 1, got 0"),
        (
            {"groups": np.arange(200) // 10, "folds": 12},
            "expected two groups or more in each part",
        ),
        ({"blocks": 15, "folds": 10}, "expected two blocks of 15 rows or more in each fold"),
        ({"blocks": 40}, "no answer: expected at least 12 blocks .* 40, which makes 5"),
    ],
)
def test_what_cannot_be_right_is_refused(options, message):
    x, y = np.random.default_rng(0).normal(size=(2, 200))
    with pytest.raises(ValueError, match=message):
        mine.estimate(x, y, **options)


def test_groups_of_many_pairs_are_one_array_a_pair():
    x, y = np.random.default_rng(0).normal(size=(2, 200))
    with pytest.raises(ValueError, match="expected the groups of each pair, got 200 for 1 pairs"):
        mine.estimate_many([(x, y)], groups=np.arange(200))


def test_a_method_that_cannot_take_such_rows_says_so(monkeypatch):
    from mine.method.names import METHODS

    found = METHODS.resolve("gaussian")
    object.__setattr__(found, "dependent", None)
    try:
        x, y = np.random.default_rng(0).normal(size=(2, 200))
        with pytest.raises(ValueError, match="expected no groups, order or blocks for gaussian"):
            mine.estimate(x, y, "gaussian", blocks=2)
    finally:
        METHODS._find.cache_clear()
