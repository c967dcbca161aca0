"""A term is a value with a gradient: its critic learns beside a model and never through it."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mine
from mine.data.generators import generator
from mine.estimators.term import derangements
from mine.tasks import CorrelatedGaussian

TASK = CorrelatedGaussian(1, 0.8)
SMALL = {"hidden": (16,), "device": "cpu"}
TRAINED = [name for name, m in mine.methods().items() if m.objective and not m.candidates]


def rows(n=64, seed=0):
    return TASK.sample(n, generator(seed, "rows"))


def trained(term, steps=30):
    for seed in range(steps):
        term.step(*rows(seed=seed))
    return term


@pytest.mark.parametrize("method", [*TRAINED, "smile(tau=1)", "js/infonce"])
def test_any_method_that_trains_a_critic_is_a_term(method):
    term = trained(mine.Term(1, 1, method, **SMALL), steps=3)
    x, y = rows()
    x.requires_grad_()
    y.requires_grad_()
    value = term(x, y)
    assert value.shape == () and torch.isfinite(value)
    value.backward()
    assert x.grad.isfinite().all() and x.grad.any() and y.grad.isfinite().all()
    before = term.step(x, y)
    assert before.shape == () and not before.requires_grad


def test_the_value_climbs_to_the_truth():
    term = mine.Term(1, 1, hidden=(32,), learning_rate=1e-2, device="cpu")
    for seed in range(200):
        term.step(*rows(256, seed))
    assert term(*rows(4000, 999)).item() == pytest.approx(TASK.mi, abs=0.08)


def test_the_value_is_dv_at_the_critic_that_its_objective_trained():
    """Of MINE: it trains by Eq. 12 and is read by DV, both on the pairs that the seed names."""
    term, twin = (trained(mine.Term(1, 1, "mine", seed=3, **SMALL)) for _ in "ab")
    x, y = rows(seed=77)
    a, b, pairing = twin._batch(x, y)
    with torch.no_grad():
        wanted = mine.donsker_varadhan(*twin._ascent.critic.values(a, b, pairing))[0]
    torch.testing.assert_close(term(x, y).detach(), wanted, rtol=1e-6, atol=1e-6)


def test_equal_terms_give_equal_bits_and_other_seeds_others():
    first, again, other = (trained(mine.Term(1, 1, seed=s, **SMALL), 5) for s in (0, 0, 1))
    assert torch.equal(first(*rows()), again(*rows()))
    assert not torch.equal(first(*rows()), other(*rows()))


def test_a_term_taken_up_again_goes_on_with_the_same_bits(tmp_path):
    whole = trained(mine.Term(1, 1, **SMALL))
    torch.save(whole.state_dict(), tmp_path / "term.pt")
    state = torch.load(tmp_path / "term.pt", weights_only=True)
    again = mine.Term(1, 1, seed=9, **SMALL)
    again.load_state_dict(state)
    for seed in range(50, 53):
        assert torch.equal(whole.step(*rows(seed=seed)), again.step(*rows(seed=seed)))
    assert torch.equal(whole(*rows()), again(*rows()))
    with pytest.raises(ValueError, match="start anew"):
        mine.Term(2, 1, **SMALL).load_state_dict(state)
    with pytest.raises(ValueError, match="a generator's state"):
        again.load_state_dict({**state, "generator": torch.zeros_like(state["generator"])})


def test_the_state_has_the_buffers_of_a_module_of_ones_own():
    class Features(torch.nn.Module):
        def __init__(self, dx, dy):
            super().__init__()
            self.register_buffer("directions", torch.randn(dx + dy, 8))
            self.out = torch.nn.Linear(8, 1)

        def forward(self, x, y):
            return self.out(torch.cos(torch.cat([x, y], -1) @ self.directions))

    one, other = (mine.Term(1, 1, seed=s, critic=Features, device="cpu") for s in (0, 1))
    other.load_state_dict(trained(one, 3).state_dict())
    assert torch.equal(one(*rows()), other(*rows()))


def test_a_model_beside_it_is_not_reached_by_a_step_and_is_by_the_value():
    model, term = torch.nn.Linear(1, 1), mine.Term(1, 1, **SMALL)
    x, y = rows()
    for _ in range(3):
        term.step(model(x), y)
    assert model.weight.grad is None
    state = term.state_dict()
    term(model(x), y).backward()
    assert model.weight.grad is not None
    same = {k for k, v in term.state_dict().items() if torch.equal(v, state[k])}
    assert state.keys() - same == {"generator"}  # the pairs alone are drawn anew


def test_sides_of_other_types_and_of_one_dimension_are_taken():
    term = mine.Term(1, 1, **SMALL)
    x, y = rows()
    flat = x[:, 0].double().requires_grad_()
    value = term(flat, (y[:, 0] > 0))
    assert value.dtype == torch.float32
    value.backward()
    assert flat.grad.dtype == torch.float64 and flat.grad.shape == (64,)


@given(st.integers(2, 40), st.data())
def test_partners_are_other_rows_and_all_different(n, data):
    m = data.draw(st.integers(1, n - 1))
    index = derangements(n, m, torch.Generator().manual_seed(n))
    own = torch.arange(n)
    assert not (index == own).any()
    assert all(torch.equal(of.sort().values, own) for of in index)
    assert all(len(set(column)) == m for column in index.T.tolist())


def test_each_other_row_is_as_likely_a_partner():
    """Also of neighbours: a batch may come sorted."""
    g, n, draws = torch.Generator().manual_seed(0), 5, 4000
    counts = torch.zeros(n, n)
    for _ in range(draws):
        counts[torch.arange(n), derangements(n, 1, g)[0]] += 1
    expected = draws / (n - 1)
    off = ~torch.eye(n, dtype=torch.bool)
    assert (counts[off] - expected).abs().max() < 5 * math.sqrt(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "ksg"}, "trains a critic, got 'ksg', which has none .* take mine"),
        ({"method": "auto"}, "one critic, got 'auto', .* take js"),
        ({"method": "mime"}, "method must be one of"),
        ({"dx": 0}, "dx must be a whole number >= 1, got 0"),
        ({"dy": 1.5}, "dy must be a whole number >= 1, got 1.5"),
        ({"steps": 10}, "got 'steps' .a setting of whole trainings.: leave it out"),
        ({"batch_size": 10}, "got 'batch_size' .a setting of whole trainings."),
        ({"stepz": 10}, "expected settings among .*'learning_rate'.* got 'stepz' .unknown."),
        ({"learning_rate": -1.0}, "learning_rate must be"),
        ({"betas": (0.5, 0.9), "optimizer": "SGD"}, "betas are Adam's"),
        ({"critic": torch.nn.Linear, "hidden": (3,)}, "got a critic of your own beside them"),
        ({"critic": torch.nn.Linear(2, 1)}, r"a function \(dx, dy\) -> torch.nn.Module"),
        ({"method": "club", "critic": torch.nn.Linear}, "takes the layers of an MLP"),
        ({"device": "tpu"}, "device must be auto, cpu or cuda"),
    ],
)
def test_arguments_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        mine.Term(**{"dx": 1, "dy": 1, "device": "cpu", **options})


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.zeros(8, 3), torch.zeros(8), r"x must have the shape \(rows, 2\), got \(8, 3\)"),
        (torch.zeros(8), torch.zeros(8), r"x must have the shape \(rows, 2\), got \(8,\)"),
        (torch.zeros(8, 2, 1), torch.zeros(8), r"got \(8, 2, 1\): flatten each row"),
        (torch.zeros(8, 2), torch.zeros(7), "pair up row by row, got 8 and 7 rows"),
        (torch.zeros(1, 2), torch.zeros(1), "more rows than marginal_samples=2, got 1: .* bring"),
        (torch.zeros(0, 2), torch.zeros(0), "more rows than marginal_samples=2, got 0"),
        (torch.full((8, 2), math.nan), torch.zeros(8), "x must be finite"),
        (torch.zeros(8, 2), torch.full((8,), 1e200, dtype=torch.float64), "y must be finite as"),
        (torch.zeros(8, 2).cfloat(), torch.zeros(8), "real numbers, got torch.complex64"),
        (np.zeros((8, 2)), torch.zeros(8), "got ndarray: torch.as_tensor makes one"),
    ],
)
def test_batches_that_cannot_be_are_refused_and_change_nothing(x, y, message):
    term = mine.Term(2, 1, **SMALL)
    before = term.state_dict()
    for use in (term.step, term):
        with pytest.raises(ValueError, match=message):
            use(x, y)
    assert all(torch.equal(v, before[name]) for name, v in term.state_dict().items())


def test_a_critic_that_diverges_is_said_to():
    term = mine.Term(1, 1, optimizer="SGD", learning_rate=1e30, **SMALL)
    with pytest.raises(ValueError, match="it has diverged; make the term anew, with a lower"):
        trained(term)


@pytest.mark.cuda
def test_a_term_on_cuda_takes_batches_and_states_of_the_cpu():
    on_cpu = trained(mine.Term(1, 1, **SMALL))
    on_cuda = mine.Term(1, 1, **{**SMALL, "device": "cuda"})
    on_cuda.load_state_dict(on_cpu.state_dict())
    x, y = rows()
    x.requires_grad_()
    value = on_cuda(x, y)
    torch.testing.assert_close(value.detach().cpu(), on_cpu.step(*rows()), rtol=1e-3, atol=1e-3)
    value.backward()
    assert x.grad.any()
