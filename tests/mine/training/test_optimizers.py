"""The optimizers: each cell at its own rate, to torch.optim's numbers."""

import dataclasses
import subprocess
import sys

import pytest
import torch

from mine.critics.mlp import MLP
from mine.data.batches import unpack
from mine.data.blocks import draw_block
from mine.data.generators import generator
from mine.method.donsker_varadhan import MINE
from mine.training.loop import train
from mine.training.optimizers import adam_of_rates, make_optimizer
from mine.training.settings import Training

SHORT = Training(steps=50, batch_size=32, learning_rate=3e-3)


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW"])
def test_a_cells_bits_do_not_depend_on_the_learning_rates_beside_it(optimizer, trained):
    """Cells of one rate among several are stepped as a vector that fills whole registers too."""
    training = dataclasses.replace(SHORT, optimizer=optimizer, schedule="constant")
    alike, _ = trained([0, 1, 2], training=training, rates=[1e-3, 1e-3, 1e-3])
    mixed, _ = trained([0, 1, 2], training=training, rates=[1e-3, 2e-3, 1e-3])
    for a, b in zip(alike.views, mixed.views, strict=True):
        assert torch.equal(a[[0, 2]], b[[0, 2]])


@torch.no_grad()
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9)])
@pytest.mark.parametrize("optimizer", ["Adam", "AdamW"])
def test_one_kernel_for_all_rates_steps_as_one_for_each_rate(optimizer, betas):
    """The way of CUDA beside the way of the CPU."""
    group_of = torch.tensor([0, 1, 0])
    found = []
    for make in (adam_of_rates, make_optimizer):
        critic = MLP((8, 5)).stack(2, 1, [generator(s, "start") for s in range(3)], "cpu")
        rates = torch.zeros(2)
        optimizer_of = make(optimizer, critic, rates, group_of, betas)
        for i in range(5):
            rates.copy_(torch.tensor([1e-2, 1e-3]) / (i + 1))
            critic.grad.normal_(generator=generator(i, "gradient"))
            optimizer_of.step()
        found.append(critic.theta.clone())
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-7)


@pytest.mark.cuda
@pytest.mark.parametrize("optimizer", ["Adam", "AdamW"])
@pytest.mark.parametrize("rates", [None, [1e-3, 2e-3, 1e-3]])
def test_adam_on_cuda_steps_as_on_the_cpu(optimizer, rates):
    found = []
    for device in ("cpu", "cuda"):
        critic = MLP((8, 5)).stack(2, 1, [generator(s, "start") for s in range(3)], device)
        highest, group_of = torch.tensor(rates or [1e-3] * 3, device=device).unique(
            return_inverse=True
        )
        step = make_optimizer(optimizer, critic, highest, group_of).step
        with torch.no_grad():
            for i in range(5):
                critic.grad.copy_(torch.randn(critic.grad.shape, generator=generator(i, "g")))
                step()
        found.append(critic.theta.cpu())
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)


def test_each_cell_has_its_own_learning_rate(trained, stack_of):
    plain = dataclasses.replace(SHORT, optimizer="SGD")
    stack = stack_of([0, 0], training=plain, rates=[0.0, 0.1])
    start = [v.clone() for v in stack.critic.views]
    *_, _ = train(stack)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(start, stack.critic.views, strict=True))
    assert not torch.equal(start[0][1], stack.critic.views[0][1])
    alone, _ = trained([0], training=plain, rates=[0.1])
    torch.testing.assert_close(stack.critic.views[0][1], alone.views[0][0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "betas"),
    [
        ("Adam", {}),
        ("Adam", {"betas": (0.5, 0.9)}),
        ("AdamW", {}),
        ("AdamW", {"betas": (0.0, 0.99)}),
        ("RMSprop", {}),
        ("SGD", {}),
    ],
)
def test_the_step_is_the_optimizers_at_the_cells_rate(optimizer, betas, trained, stack_of):
    """Also where the kernel is called without what torch.optim does around it."""
    training = dataclasses.replace(
        SHORT, steps=5, optimizer=optimizer, schedule="constant", learning_rate=1e-3, **betas
    )
    ours, _ = trained([0], training=training)
    stack = stack_of([0], training=training)
    theta = torch.nn.Parameter(stack.critic.theta, requires_grad=False)
    theta.grad = stack.critic.grad
    plain = getattr(torch.optim, optimizer)([theta], lr=1e-3, **betas)
    state = MINE.init(1, torch.device("cpu"))
    drawn = draw_block(stack.sources, stack.generators, 5, 32, "derangement", 2)
    with torch.no_grad():
        for batch in zip(*drawn, strict=True):
            values = stack.critic.values(*unpack("derangement", 2, batch))
            g_joint, g_marginal, state = MINE.descent(*values, state, stack.ema_rate)
            stack.critic.backward(g_joint, g_marginal)
            plain.step()
    torch.testing.assert_close(ours.theta, stack.critic.theta, rtol=1e-4, atol=1e-6)


def test_adam_on_a_cpu_needs_none_of_torchs_compiler():
    """Its modules take a second to import, in every process that trains."""
    code = (
        "import sys, torch, mine\n"
        "mine.estimate(torch.randn(100, 1), torch.randn(100, 1), steps=2, batch_size=16,"
        " device='cpu')\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
