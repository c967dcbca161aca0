"""`mine.estimate` and `estimate_many`: the contract for one's own data."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import mine
from mine.data.split import SPLIT
from mine.estimators.own_job import own_job
from mine.tasks import CorrelatedGaussian

QUICK = {"steps": 60, "hidden": (16, 16), "batch_size": 64}


def data(seed=0, n=400, dim=1, rho=0.8):
    x, y = CorrelatedGaussian(dim, rho).sample(n, torch.Generator().manual_seed(seed))
    return x.numpy(), y.numpy()


def test_the_methods_of_the_paper_and_ksg_are_there():
    assert {"mine", "mine_f", "dv", "ksg"} <= set(mine.methods())


@pytest.mark.parametrize("method", ["mine", "mine_f", "dv", "ksg"])
def test_every_method_finds_a_gaussians_information(method):
    x, y = data(n=3000)
    trained = {"steps": 600, "hidden": (32, 32), "batch_size": 128}
    e = mine.estimate(x, y, method=method, **{} if method == "ksg" else trained)
    assert e.method == method
    assert abs(e.nats - 0.5108) < 0.05 + 3 * e.stderr
    assert math.isnan(e.train_nats) == (method == "ksg")
    assert e.warnings == ()


@pytest.mark.parametrize("method", ["mine", "mine_f", "dv", "ksg"])
def test_the_same_call_twice_gives_the_same_bits(method):
    x, y = data()
    options = {} if method == "ksg" else QUICK
    once, twice = (mine.estimate(x, y, method, **options) for _ in range(2))
    assert repr(once) == repr(twice)


def test_many_in_one_stack_equal_one_by_one():
    pairs = [data(seed) for seed in range(5)]
    together = mine.estimate_many(pairs, seeds=range(5), **{**QUICK, "steps": 50})
    for i, (x, y) in enumerate(pairs):
        alone = mine.estimate(x, y, seed=i, **{**QUICK, "steps": 50})
        assert alone.nats == pytest.approx(together[i].nats, abs=1e-4)
        assert alone.train_nats == pytest.approx(together[i].train_nats, abs=1e-4)


@pytest.mark.slow
def test_many_in_one_stack_equal_one_by_one_within_their_errors_at_the_end():
    pairs = [data(seed, n=5000, dim=3, rho=0.6) for seed in range(4)]
    together = mine.estimate_many(pairs, seeds=range(4))
    for i, (x, y) in enumerate(pairs):
        alone = mine.estimate(x, y, seed=i)
        assert abs(alone.nats - together[i].nats) < alone.stderr


def test_pairs_of_different_shapes_come_back_in_their_order():
    pairs = [data(0, 400), data(1, 300, 2), data(2, 400), data(3, 300, 2)]
    together = mine.estimate_many(pairs, **QUICK)
    assert [e.n_train for e in together] == [240, 180, 240, 180]
    for (x, y), e in zip(pairs, together, strict=True):
        assert mine.estimate(x, y, **QUICK).nats == pytest.approx(e.nats, abs=1e-3)


def test_the_value_is_of_rows_that_neither_trained_nor_stopped():
    """With pure noise learned by heart, the test value stays near 0 and the training value not."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(150, 5)), rng.normal(size=(150, 5))
    e = mine.estimate(x, y, "mine", steps=300, batch_size=45, patience=100, learning_rate=0.01)
    assert (e.n_train, e.n_test) == (90, 30)
    assert e.nats < 0.3


def test_units_and_offsets_of_the_columns_do_not_matter():
    x, y = data(n=1000)
    plain = mine.estimate(x, y, **QUICK)
    moved = mine.estimate(1e6 * x.astype(float) + 3e6, 1e-9 * y.astype(float) - 5, **QUICK)
    assert moved.nats == pytest.approx(plain.nats, abs=1e-2)


def test_negative_values_are_reported_as_they_are():
    rng = np.random.default_rng(2)
    values = [
        mine.estimate(
            rng.normal(size=100), rng.normal(size=100), seed=s, **QUICK | {"batch_size": 30}
        )
        for s in range(4)
    ]
    assert any(e.nats < 0 for e in values)


def test_numpy_torch_lists_and_one_column_give_the_same():
    x, y = data()
    reference = mine.estimate(x, y, **QUICK)
    for a, b in [
        (torch.from_numpy(x), torch.from_numpy(y)),
        (x.tolist(), y.tolist()),
        (x[:, 0], y[:, 0]),
    ]:
        assert mine.estimate(a, b, **QUICK) == reference


def test_the_curve_climbs_and_ends_where_training_did():
    x, y = data(n=2000)
    e = mine.estimate(x, y, steps=200, hidden=(32,), batch_size=128, patience=1000)
    steps = [s for s, _ in e.curve]
    assert steps == sorted(steps)
    assert steps[-1] == e.steps == 200
    assert e.curve[-1][1] > e.curve[0][1]


def test_a_network_of_ones_own_is_a_critic():
    class Bilinear(nn.Module):
        def __init__(self, dx, dy):
            super().__init__()
            self.form = nn.Linear(dx, dy)
            self.rest = nn.Sequential(nn.Linear(dx + dy, 16), nn.ReLU(), nn.Linear(16, 1))

        def forward(self, x, y):
            return (self.form(x) * y).sum(-1, keepdim=True) + self.rest(torch.cat([x, y], -1))

    x, y = data(n=2000)
    before = torch.get_rng_state()
    e = mine.estimate(x, y, critic=Bilinear, steps=300, batch_size=128, learning_rate=0.01)
    assert torch.equal(before, torch.get_rng_state())
    assert abs(e.nats - 0.5108) < 0.08 + 3 * e.stderr
    assert e == mine.estimate(x, y, critic=Bilinear, steps=300, batch_size=128, learning_rate=0.01)


def test_the_default_batch_shrinks_to_the_rows():
    x, y = (torch.from_numpy(v) for v in data(n=100))
    job = own_job(x, y, "mine", 0)
    assert job.training.batch_size == math.floor(100 * SPLIT[0]) // 2


X, Y = np.arange(100.0), np.arange(100.0) ** 2


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (np.where(X == 3, np.nan, X), Y, {}, "x must be finite, got nan or inf in 1 of 100 rows"),
        (X, np.where(Y > 9000, np.inf, Y), {}, "y must be finite"),
        (X, Y[:90], {}, "pair up row by row, got 100 and 90 rows"),
        (X[:1], Y[:1], {}, "at least 20 rows"),
        (np.ones(100), Y, {}, "column 0 of x constant"),
        (X, np.stack([Y, 0 * Y], 1), {}, "column 1 of y constant"),
        (np.zeros((5, 5, 5)), Y, {}, "must have shape"),
        (["a"] * 100, Y, {}, "column 0 = a of x constant"),
        (X, Y, {"method": "gan"}, "method must be one of"),
        (X, Y, {"method": None}, "method must be one of"),
        (X, Y, {"method": ["ksg"]}, "method must be one of"),
        (X, Y, {"seed": -1}, "seed must be a whole number >= 0, got -1"),
        (X, Y, {"seed": None}, "seed must be a whole number >= 0, got None"),
        (X, Y, {"order": np.arange(100)}, r"order must be one of .'time'., got array"),
        (X, Y, {"steps": -5}, "steps must be a whole number"),
        (X, Y, {"batch_size": 64}, "batch_size=64 for 60 training rows of 100"),
        (X, Y, {"device": "cuda:99"}, "device"),
        (X, Y, {"device": "abacus"}, "device must be auto, cpu or cuda"),
        (X, Y, {"widht": 3}, "unknown option 'widht'"),
        (X, Y, {"method": "ksg", "k": 100}, "k=100 and 100 rows"),
        (X, Y, {"critic": nn.Bilinear, "hidden": (3,)}, "leave one out"),
    ],
)
def test_input_that_cannot_be_right_is_refused_with_advice(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        mine.estimate(x, y, **options)


def test_one_seed_a_pair_is_asked_for():
    with pytest.raises(ValueError, match="one seed a pair, got 1 seeds for 2 pairs"):
        mine.estimate_many([(X, Y)] * 2, seeds=[0])


def test_a_failure_inside_an_estimation_is_raised_with_its_reason():
    class Broken(nn.Module):
        def __init__(self, dx, dy):
            super().__init__()
            self.p = nn.Parameter(torch.zeros(1))

        def forward(self, x, y):
            raise ArithmeticError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        mine.estimate(*data(100), critic=Broken)
