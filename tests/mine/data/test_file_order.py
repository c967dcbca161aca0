"""Rows that hang together unsaid: no seen case is missed, and independent rows alarm rarely."""

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from mine.data.file_order import order_doubts, repeat_doubts


def rows(v):
    return torch.as_tensor(np.asarray(v, float).reshape(len(v), -1))


def autoregressive(phi, rng, n=2000):
    shocks = rng.normal(size=n + (0 if phi == 1 else 2000))
    return lfilter([1.0], [1.0, -phi], shocks)[-n:]


def patients(rng, who):
    own, label = rng.normal(size=(40, 5)), rng.integers(0, 2, 40)
    return own[who] + 0.3 * rng.normal(size=(len(who), 5)), np.eye(2)[label[who]]


@pytest.mark.parametrize("phi", [0.9, 0.99, 1.0])
def test_independent_series_are_warned_of(phi):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, y = (rows(autoregressive(phi, rng)) for _ in range(2))
        assert order_doubts(x, y).startswith("dependent rows: x and y both hang together")


@pytest.mark.parametrize("who", [np.repeat(np.arange(40), 50), np.tile(np.arange(40), 50)])
def test_visits_are_warned_of_patient_by_patient_or_in_turns(who):
    for seed in range(20):
        x, y = map(rows, patients(np.random.default_rng(seed), who))
        assert order_doubts(x, y)


def test_a_measured_value_of_each_patient_is_warned_of_in_any_order_of_rows():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        who = rng.permutation(np.repeat(np.arange(40), 50))
        x, _ = patients(rng, who)
        score = rng.normal(size=40)[who]
        assert repeat_doubts(rows(x), rows(score)).startswith("repeated values: column 0 of y")
        assert not order_doubts(rows(x), rows(score))


def independent(rng, kind, n):
    x = rng.normal(size=(n, 1))
    label = rng.integers(0, 4, n)
    return {
        "the same": (x, x),
        "linear": (x, 0.9 * x + rng.normal(size=(n, 1))),
        "labels": (np.eye(4)[label], label + rng.normal(size=n)),
        "counts": (rng.poisson(2, n), rng.poisson(2, n)),
        "rounded": (np.round(x, 1), np.round(x, 1)),
        "rounded in other units": (
            np.round(x, 1) / np.pi,
            np.round(x, 1) + rng.normal(size=(n, 1)),
        ),
        "with zeros": (np.where(x > 0.3, x, 0.0), x),
        "many": (rng.lognormal(size=(n, 15)), rng.lognormal(size=n)),
        "sorted by the label": (np.eye(4)[np.sort(label)], np.sort(label) + rng.normal(size=n)),
    }[kind]


def test_at_most_one_in_a_hundred_tables_of_independent_rows_is_warned_of():
    kinds = ("the same", "linear", "labels", "counts", "rounded", "with zeros", "many")
    kinds += ("sorted by the label", "rounded in other units")
    alarms = [
        bool(order_doubts(x, y) or repeat_doubts(x, y))
        for seed, kind in enumerate(kinds * 60)
        for x, y in [map(rows, independent(np.random.default_rng(seed), kind, 150))]
    ]
    assert sum(alarms) <= 0.01 * len(alarms)


def label(codes):
    """The columns that text becomes: an indicator of each level, or one of two."""
    codes = np.unique(codes, return_inverse=True)[1]
    return rows(np.eye(codes.max() + 1)[codes] if codes.max() > 1 else codes)


def skewed(rng, levels, n, power=1.5):
    weights = 1 / np.arange(1, levels + 1) ** power
    return rng.choice(levels, n, p=weights / weights.sum())


def in_part(rng, x, y, share):
    return np.where(rng.uniform(size=len(x)) < share, x, y)


def with_rare_values(rng, kind):
    n = 2000
    flag = rng.uniform(size=n) < 0.003
    number = rng.normal(size=n)
    some = rng.uniform(size=n) < 0.01
    sparse = number * some
    level, ordered = skewed(rng, 60, n), np.sort(skewed(rng, 40, n))
    return {
        "even levels": [label(rng.integers(0, 150, n)) for _ in range(2)],
        "skewed levels": [label(skewed(rng, 60, n)) for _ in range(2)],
        "related levels": (label(level), label(in_part(rng, level, skewed(rng, 60, n), 0.5))),
        "related flags": (rows(flag), rows(in_part(rng, flag, rng.uniform(size=n) < 0.003, 0.7))),
        "mostly 0": (rows(sparse), rows(np.exp(sparse + 0.4 * rng.normal(size=n) * some))),
        "sorted by a label": (
            label(ordered),
            label(in_part(rng, ordered, skewed(rng, 40, n), 0.5)),
        ),
        "a function of a sorted label": (label(ordered), label(ordered % 4)),
    }[kind]


RARE = ("even levels", "skewed levels", "related levels", "related flags", "mostly 0")
RARE += ("sorted by a label", "a function of a sorted label")


@pytest.mark.parametrize("kind", RARE)
def test_rare_values_that_meet_by_chance_are_no_alarm(kind):
    """At a rate of .002, one alarm in 20 tables would be seen once in 25 times."""
    for seed in range(20):
        assert not order_doubts(*with_rare_values(np.random.default_rng(seed), kind))


def persistent(rng, levels, stay, n=2000):
    """A state that stays in this share of the rows, else is drawn anew."""
    drawn = np.where(rng.uniform(size=n) < stay, 0, np.arange(n))
    return levels(rng, n)[np.maximum.accumulate(drawn)]


@pytest.mark.parametrize(
    ("levels", "stay"),
    [
        (lambda rng, n: rng.integers(0, 60, n), 0.15),
        (lambda rng, n: skewed(rng, 60, n), 0.3),
        (lambda rng, n: rng.uniform(size=n) < 0.05, 0.8),
        (lambda rng, n: rng.integers(0, 2, n), 0.3),
    ],
)
def test_states_and_flags_that_persist_are_warned_of(levels, stay):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        assert order_doubts(*(label(persistent(rng, levels, stay)) for _ in range(2)))


@pytest.mark.parametrize("who", [np.repeat(np.arange(80), 25), np.tile(np.arange(80), 25)])
def test_rare_levels_of_each_patient_are_warned_of_visit_by_visit_or_in_turns(who):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        own, drawn = rng.integers(0, 60, (2, 80)), rng.integers(0, 60, (2, len(who)))
        assert order_doubts(*(label(in_part(rng, own[i][who], drawn[i], 0.5)) for i in (0, 1)))


def test_one_side_alone_is_no_reason():
    rng = np.random.default_rng(0)
    x, y = rows(autoregressive(0.99, rng)), rows(rng.normal(size=2000))
    assert not order_doubts(x, y) and not order_doubts(y, x)


def test_visits_that_are_sorted_by_the_label_are_warned_of():
    rng = np.random.default_rng(0)
    own, label = rng.normal(size=(40, 5)), np.sort(rng.integers(0, 2, 40))
    who = np.repeat(np.arange(40), 50)
    x = own[who] + 0.3 * rng.normal(size=(2000, 5))
    assert order_doubts(rows(x), rows(np.eye(2)[label[who]]))


@pytest.mark.parametrize("of_each", [2, 3, 5, 10, 30])
def test_a_file_sorted_by_an_id_is_no_alarm_unless_rows_of_an_id_hang_together(of_each):
    """The mean of a few rows is near each of them: what is left of them is no sign."""
    who = rows(np.repeat(np.arange(600), of_each)[:600])
    for seed in range(20):
        rng = np.random.default_rng(seed)
        assert not order_doubts(rows(rng.normal(size=600)), who)
        assert not order_doubts(rows(rng.normal(size=600) + 0.01 * who[:, 0].numpy()), who)
        if of_each >= 10:
            assert order_doubts(rows(autoregressive(0.8, rng, 600)), who)
