"""What holds for every objective: its descent is minus the gradient of its surrogate."""

import pytest
import torch

from mine.method.contrastive import interpolation
from mine.method.donsker_varadhan import DV, donsker_varadhan, remine_objective
from mine.method.names import METHODS
from mine.method.objective import Objective

OBJECTIVES = {
    **{name: m.objective for name, m in METHODS.items() if m.objective},
    "plain dv": DV,
    "remine, strong": remine_objective(2.0, -1.0),
    "interpolation, alpha = 1": interpolation(1.0),
}
AUTOGRAD_ONLY = {"interpolated", "interpolation, alpha = 1"}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_descent_is_minus_the_surrogates_gradient(name):
    """Closed forms are autograd's, step after step, for each cell of a stack."""
    objective = OBJECTIVES[name]
    assert (objective.closed_form is None) == (name in AUTOGRAD_ONLY), (
        f"expected AUTOGRAD_ONLY of this file to hold the objectives without a gradient written "
        f"out: add {name} to it, take it off, or write the gradient out (`ascend`)"
    )
    g = torch.Generator().manual_seed(1)
    state = other = tuple(s.double() for s in objective.init(3, torch.device("cpu")))
    rate = torch.tensor([0.1, 0.5, 1.0]).double()
    for _ in range(3):
        t = [torch.randn(3, n, generator=g, dtype=torch.float64) * 2 for n in (6, 12)]
        leaves = [v.clone().requires_grad_() for v in t]
        surrogate, state = objective.surrogate(*leaves, state, rate)
        assert surrogate.shape == (3,)
        wanted = torch.autograd.grad(-surrogate.sum(), leaves, materialize_grads=True)
        with torch.no_grad():
            *found, other = objective.descent(*t, other, rate)
        torch.testing.assert_close(tuple(found), wanted)
        torch.testing.assert_close(other, state)
        assert not any(v.requires_grad for v in (*found, *other))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_small_step_along_the_descent_raises_what_is_ascended(name):
    objective = OBJECTIVES[name]
    g = torch.Generator().manual_seed(2)
    state, rate = objective.init(2, torch.device("cpu")), torch.ones(2)
    t = [torch.randn(2, n, generator=g) for n in (8, 16)]
    *down, _ = objective.descent(*t, state, rate)
    bound = donsker_varadhan if state else None  # MINE's surrogate has no value of its own

    def value(*t):
        return bound(*t) if bound else objective.surrogate(*t, (), rate)[0]

    if name in ("dv", "plain dv"):
        bound = donsker_varadhan
    moved = [v - 1e-2 * d for v, d in zip(t, down, strict=True)]
    assert (value(*moved) > value(*t)).all()


def test_any_surrogate_is_an_objective():
    """State in and out, without a closed form: a running sum of what it has seen."""

    def surrogate(t_joint, t_marginal, state, rate):
        seen = state[0] + t_joint.mean(-1)
        return seen * t_marginal.mean(-1), (seen,)

    objective = Objective(surrogate, init=lambda k, device: (torch.zeros(k, device=device),))
    t_joint, t_marginal = torch.ones(2, 4), torch.full((2, 8), 3.0)
    state = objective.init(2, torch.device("cpu"))
    for step in (1.0, 2.0):
        g_joint, g_marginal, state = objective.descent(t_joint, t_marginal, state, torch.ones(2))
        torch.testing.assert_close(g_joint, torch.full((2, 4), -3.0 / 4))
        torch.testing.assert_close(g_marginal, torch.full((2, 8), -step / 8))
        assert not state[0].requires_grad
