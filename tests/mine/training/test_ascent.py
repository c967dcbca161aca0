"""An ascent is the loop's own step, and its bound has a gradient in the samples."""

import dataclasses

import pytest
import torch

from mine.critics.modules import stack_modules
from mine.data.batches import unpack
from mine.data.generators import generator
from mine.data.pairs import Shifts
from mine.method.bound import log_mean_exp
from mine.method.contrastive import INFONCE, infonce
from mine.method.donsker_varadhan import DV, MINE, donsker_varadhan
from mine.method.f_divergence import MINE_F
from mine.tasks import CorrelatedGaussian
from mine.training.ascent import make_ascent
from mine.training.loop import begin
from mine.training.settings import Training

SHORT = Training(steps=12, batch_size=32, learning_rate=3e-3)
TASK = CorrelatedGaussian(2, 0.7)


def ascent_of(stack):
    return make_ascent(
        stack.critic,
        stack.objective,
        stack.bound,
        stack.training,
        stack.learning_rate,
        stack.ema_rate,
    )


def rows(k=2, n=32, seed=0):
    x, y = TASK.sample(k * n, generator(seed, "rows"))
    return x.view(k, n, -1), y.view(k, n, -1)


@pytest.mark.parametrize("objective", [MINE, MINE_F, INFONCE], ids=["mine", "mine_f", "infonce"])
@pytest.mark.parametrize("optimizer", ["Adam", "AdamW", "RMSprop", "SGD"])
@pytest.mark.parametrize("marginal", ["derangement", "shuffle", "independent"])
def test_an_ascent_is_the_loops_step_to_the_bit(objective, optimizer, marginal, stack_of):
    training = dataclasses.replace(
        SHORT, optimizer=optimizer, marginal=marginal, max_grad_norm=0.05, warmup=3
    )
    rates = [1e-3, 2e-3]
    looped = stack_of([0, 1], training=training, objective=objective, rates=rates)
    loop = begin(looped)
    *_, _ = loop.train()
    stack = stack_of([0, 1], training=training, objective=objective, rates=rates)
    ascent = ascent_of(stack)
    for step, batch in enumerate(zip(*stack.draw(0, 0), strict=True)):
        ascent.set_rates(ascent.highest * training.rate(step))
        t_joint, t_marginal = ascent.ascend(*unpack(marginal, 2, batch))
        assert torch.equal(t_joint, loop.t_joint[step])
        assert torch.equal(t_marginal, loop.t_marginal[step])
    assert torch.equal(stack.critic.theta, looped.critic.theta)
    ours, theirs = ascent.state(), loop.state()
    assert ours.keys() == {n for n in theirs if n.startswith(("theta", "objective", "optimizer"))}
    assert all(torch.equal(v, theirs[name]) for name, v in ours.items())


def test_a_stack_of_k_ascends_as_k_single_ones(stack_of):
    x, y = rows(3)
    together = ascent_of(stack_of([0, 1, 2]))
    for _ in range(5):
        together.ascend(x, y, Shifts(2))
    values = together.bound(x, y, Shifts(2))
    for i in range(3):
        alone = ascent_of(stack_of([i]))
        for _ in range(5):
            alone.ascend(x[i : i + 1], y[i : i + 1], Shifts(2))
        own = alone.bound(x[i : i + 1], y[i : i + 1], Shifts(2))
        torch.testing.assert_close(values[i : i + 1], own, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reported", [donsker_varadhan, infonce])
def test_the_bound_is_that_of_the_kernels_values(reported, stack_of):
    stack = stack_of([0, 1])
    stack.bound = reported
    ascent, (x, y) = ascent_of(stack), rows()
    with torch.no_grad():
        wanted = reported(*stack.critic.values(x, y, Shifts(2)))
    torch.testing.assert_close(ascent.bound(x, y, Shifts(2)), wanted, rtol=1e-6, atol=1e-6)


def test_samples_follow_plain_dv_while_the_critic_follows_eq_12(stack_of):
    """The gradient of the bound in T is 1/B and minus the softmax; it goes on through T alone."""
    stack = stack_of([0, 1], objective=MINE)
    ascent, (x, y) = ascent_of(stack), rows()
    for seed in range(4):
        ascent.ascend(*rows(seed=seed), Shifts(2))
    x.requires_grad_()
    (found,) = torch.autograd.grad(ascent.bound(x, y, Shifts(2)).sum(), x)
    t_joint, t_marginal = stack.critic.differentiable(x, y, Shifts(2))
    weights = torch.softmax(t_marginal.detach(), -1)
    (plain,) = torch.autograd.grad(t_joint.mean(-1).sum() - (weights * t_marginal).sum(), x)
    torch.testing.assert_close(found, plain, rtol=1e-5, atol=1e-7)
    values = [t.detach() for t in (t_joint, t_marginal)]
    _, g_mine, _ = MINE.descent(*values, ascent.objective_state, ascent.ema_rate)
    _, g_dv, _ = DV.descent(*values, (), ascent.ema_rate)
    assert not torch.allclose(g_mine, g_dv, rtol=1e-3)
    torch.testing.assert_close(g_dv, weights, rtol=1e-5, atol=1e-7)
    log_sum, log_missing = ascent.objective_state
    keep = 1.0 - ascent.ema_rate
    new = ascent.ema_rate * log_mean_exp(values[1]).exp()
    mean = (keep * log_sum.exp() + new) / (1.0 - log_missing.exp() * keep)
    eq_12 = values[1].exp() / values[1].shape[-1] / mean.unsqueeze(-1)
    torch.testing.assert_close(g_mine, eq_12, rtol=1e-4, atol=1e-7)


def test_the_bound_moves_nothing_of_the_ascent(stack_of):
    ascent, (x, y) = ascent_of(stack_of([0, 1])), rows()
    ascent.ascend(x, y, Shifts(2))
    before = ascent.state()
    x.requires_grad_()
    ascent.bound(x, y, Shifts(2)).sum().backward()
    assert x.grad.abs().sum() > 0
    assert all(torch.equal(v, before[name]) for name, v in ascent.named().items())


def test_the_bound_has_a_graph_where_the_caller_has_disabled_gradients(stack_of):
    ascent, (x, y) = ascent_of(stack_of([0, 1])), rows()
    x.requires_grad_()
    with torch.no_grad():
        assert ascent.bound(x, y, Shifts(2)).requires_grad
    ascent.ascend(x, y, Shifts(2))  # and a step leaves no graph behind it
    assert x.grad is None and not ascent.critic.theta.requires_grad


def test_a_step_does_not_reach_the_model_that_made_the_samples(stack_of):
    ascent, (x, y) = ascent_of(stack_of([0, 1])), rows()
    model = torch.nn.Linear(2, 2)
    t_joint, _ = ascent.ascend(model(x), y, Shifts(2))
    assert not t_joint.requires_grad and model.weight.grad is None


def test_an_ascent_taken_up_again_goes_on_with_the_same_bits(stack_of):
    whole = ascent_of(stack_of([0, 1]))
    for seed in range(3):
        whole.ascend(*rows(seed=seed), Shifts(2))
    state = whole.state()
    again = ascent_of(stack_of([5, 6]))
    again.restore(state)
    for ascent in (whole, again):
        ascent.ascend(*rows(seed=9), Shifts(2))
    assert torch.equal(whole.critic.theta, again.critic.theta)
    assert not torch.equal(whole.critic.theta, state["theta"])
    with pytest.raises(ValueError, match="start anew"):
        again.restore({**state, "theta": state["theta"][:-1]})


def test_a_rate_of_zero_stops_its_group_alone(stack_of):
    plain = dataclasses.replace(SHORT, optimizer="SGD")
    stack = stack_of([0, 1], training=plain, rates=[0.1, 0.2])
    ascent, start = ascent_of(stack), stack.critic.views[0].clone()
    ascent.set_rates(torch.tensor([0.0, 0.2]))
    ascent.ascend(*rows(), Shifts(2))
    assert torch.equal(stack.critic.views[0][0], start[0])
    assert not torch.equal(stack.critic.views[0][1], start[1])


@pytest.mark.cuda
@pytest.mark.parametrize("rates", [None, [1e-3, 2e-3]])
def test_on_cuda_the_host_waits_for_neither_step_nor_bound(rates, stack_of):
    ascent = ascent_of(stack_of([0, 1], rates=rates, device="cuda"))
    x, y = (v.cuda() for v in rows())
    x.requires_grad_()
    for _ in range(2):  # what is made at the first step may wait
        ascent.ascend(x, y, Shifts(2))
        ascent.bound(x, y, Shifts(2)).sum().backward()
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        ascent.ascend(x, y, Shifts(2))
        ascent.bound(x, y, Shifts(2)).sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode(before)


def test_a_module_of_a_users_own_ascends_and_has_a_bound():
    class Product(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x, y):
            return self.scale * (x * y).sum(-1)

    ascent = make_ascent(
        stack_modules([Product(), Product()]),
        MINE,
        donsker_varadhan,
        SHORT,
        torch.full((2,), 1e-2),
        torch.full((2,), 0.02),
    )
    for seed in range(50):
        ascent.ascend(*rows(n=256, seed=seed), Shifts(2))
    x, y = rows(n=2000, seed=99)
    x.requires_grad_()
    bound = ascent.bound(x, y, Shifts(2))
    assert ((bound > 0.1) & (bound < TASK.mi + 0.1)).all()
    bound.sum().backward()
    assert x.grad.abs().sum() > 0
