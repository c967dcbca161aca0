"""The steps of a GAN, of adversarial inference and of a bottleneck, against plain formulas.

Each test steps one of two equal stacks. Of the other, which has the first one's discriminator and
statistics network by then, it computes the gradients cell by cell from the losses as the paper has
them, and compares them with those that the step wrote.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from mine.critics.mlp import MLP
from mine.data.generators import generator
from mine.data.pairs import Shifts
from mine.method.donsker_varadhan import MINE, donsker_varadhan
from mine.networks.layers import Activation, BatchNorm, Linear, Noise
from mine.networks.stacked import stacked
from mine.training.adversarial_inference import AdversarialInference
from mine.training.ascent import make_ascent
from mine.training.bottleneck import Bottleneck
from mine.training.descent import make_descent
from mine.training.gan import Gan, InformationTerm
from mine.training.settings import Training

B, DX, NOISE, CODES, DZ = 16, 3, 2, 2, 2
BETAS, CLIPS = (0.0, 1.0, 1.0, 0.3), (False, True, False, True)
K = len(BETAS)
SMALL = [Linear(8), Activation("tanh")]


def descent(name, layers, inputs):
    starts = [generator(seed, name) for seed in range(K)]
    return make_descent(stacked(layers, (inputs,), starts), 1e-3, betas=(0.5, 0.999))


def ascent(dx, dy):
    critic = MLP((8,)).stack(dx, dy, [generator(seed, "start") for seed in range(K)], "cpu")
    rates = torch.full((K,), 1e-3)
    return make_ascent(critic, MINE, donsker_varadhan, Training(), rates, torch.full((K,), 0.1))


def term():
    return InformationTerm(torch.tensor(BETAS), torch.tensor(CLIPS))


def batch(*widths):
    g = torch.Generator().manual_seed(3)
    return [torch.randn(K, B, width, generator=g) for width in widths]


def bce(logits: Tensor, label: float) -> Tensor:
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def added(k: int, g_u: Tensor, g_i: Tensor) -> Tensor:
    """beta times the gradient of I of cell k, clipped by the paper's formula."""
    g_m = BETAS[k] * g_i
    if not CLIPS[k] or not g_m.any():
        return g_m
    return min(g_u.norm(), g_m.norm()) * g_m / g_m.norm()


def bound(of, k: int, x: Tensor, y: Tensor) -> Tensor:
    """Donsker and Varadhan's of cell k, each row's y beside the next row's x."""
    w1, w2, b2 = (view[k] for view in of.critic.views)

    def t(y: Tensor) -> Tensor:
        hidden = torch.cat([x, y], 1) @ w1[:-1] + w1[-1]
        return (torch.nn.functional.elu(hidden) @ w2 + b2).squeeze(1)

    return t(y).mean() - (torch.logsumexp(t(y.roll(-1, 0)), 0) - math.log(len(x)))


def assert_wrote(network, wanted: list[Tensor]) -> None:
    """The gradient that the step wrote is this one, (P,) of each cell."""
    found = torch.cat([grad.flatten(1) for grad in network.grads], 1)
    torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-4, atol=1e-6)


def take(network, other) -> None:
    network.theta.copy_(other.theta)


def make_gan(penalty):
    layers = [Linear(8, bias=False), BatchNorm(), Activation("relu"), Linear(DX)]
    return Gan(
        generator=descent("g", layers, NOISE + CODES),
        discriminator=descent("d", [*SMALL, Linear(1)], DX),
        ascent=ascent(DX, CODES),
        term=term(),
        penalty=torch.tensor(penalty),
        codes=CODES,
        pairing=Shifts(1),
    )


@pytest.mark.parametrize("penalty", [(0.0,) * K, (0.0, 0.0, 2.0, 0.0), (1.0, 0.0, 2.0, 3.0)])
def test_a_gans_step_follows_the_papers_losses(penalty):
    real, z = batch(DX, NOISE + CODES)
    stepped, plain = make_gan(penalty), make_gan(penalty)
    losses = stepped.step(real, z)
    g, d = plain.generator.network, plain.discriminator.network
    fake = g(z, training=True)
    wanted = []
    for k in range(K):
        x = real.clone().requires_grad_()
        logits = d(x, training=True)[k]
        (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        loss = bce(logits, 1.0) + bce(d(fake.detach())[k], 0.0)
        assert losses[1, k] == pytest.approx(loss.item(), rel=1e-5)
        loss = loss + penalty[k] / 2 * slope[k].square().sum(1).mean()
        wanted.append(d.gradients(loss)[k])
    assert_wrote(stepped.discriminator.network, wanted)
    take(d, stepped.discriminator.network)
    wanted = []
    for k in range(K):
        g_u = g.gradients(bce(d(fake)[k], 1.0), retain=True)[k]
        value = bound(stepped.ascent, k, fake[k], z[k, :, -CODES:])
        assert losses[0, k] == pytest.approx(value.item(), abs=1e-6)
        wanted.append(g_u - added(k, g_u, g.gradients(value, retain=True)[k]))
    assert_wrote(stepped.generator.network, wanted)


def test_adversarial_inference_steps_follow_the_losses():
    weights = torch.tensor([0.0, 0.0, 2.0, 1.0])

    def make():
        return AdversarialInference(
            encoder=descent("e", [*SMALL, Linear(DZ)], DX),
            generator=descent("g", [*SMALL, Linear(DX)], DZ),
            discriminator=descent("d", [*SMALL, Linear(1)], DX + DZ),
            ascent=ascent(DX, DZ),
            term=term(),
            reconstruction=weights,
            noise=[],
            pairing=Shifts(1),
        )

    x, z = batch(DX, DZ)
    stepped, plain = make(), make()
    losses = stepped.step(x, z)
    e, g, d = (of.network for of in (plain.encoder, plain.generator, plain.discriminator))
    encoded, made = e(x), g(z)
    ours, theirs = torch.cat([x, encoded], -1), torch.cat([made, z], -1)
    loss = [bce(d(ours.detach())[k], 1.0) + bce(d(theirs.detach())[k], 0.0) for k in range(K)]
    assert_wrote(stepped.discriminator.network, [d.gradients(loss[k])[k] for k in range(K)])
    take(d, stepped.discriminator.network)
    of_e, of_g = [], []
    for k in range(K):
        error = (x[k] - g(encoded)[k]).square().sum(1).mean()
        whole = bce(d(ours)[k], 0.0) + bce(d(theirs)[k], 1.0) + weights[k] * error
        assert losses[3, k] == pytest.approx(error.item(), rel=1e-5)
        value = bound(stepped.ascent, k, x[k], encoded[k])
        g_u = e.gradients(whole, retain=True)[k]
        of_g.append(g.gradients(whole, retain=True)[k])
        of_e.append(g_u - added(k, g_u, e.gradients(value, retain=True)[k]))
    assert_wrote(stepped.encoder.network, of_e)
    assert_wrote(stepped.generator.network, of_g)


def test_a_bottlenecks_step_lowers_the_cross_entropy_and_the_information():
    rates = torch.tensor([0.0, 0.5, 0.0, 0.0])

    def encode(h):
        mean, log_std = h.chunk(2, -1)
        noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(1))
        rate = 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
        return mean + log_std.exp() * noise, rate.mean(-1)

    def make():
        return Bottleneck(
            encoder=descent("e", [*SMALL, Linear(2 * DZ)], DX),
            decoder=descent("d", [Linear(4)], DZ),
            encode=encode,
            ascent=ascent(DX, DZ),
            term=term(),
            rate=rates,
            noise=[],
            pairing=Shifts(1),
        )

    (x,) = batch(DX)
    labels = torch.arange(B).remainder(4).expand(K, B)
    stepped, plain = make(), make()
    losses = stepped.step(x, labels)
    e, d = plain.encoder.network, plain.decoder.network
    z, rate = encode(e(x))
    of_e, of_d = [], []
    for k in range(K):
        loss = cross_entropy(d(z)[k], labels[k])
        assert losses[1, k] == pytest.approx(loss.item(), rel=1e-5)
        whole = loss + rates[k] * rate[k]
        g_u = e.gradients(whole, retain=True)[k]
        of_d.append(d.gradients(whole, retain=True)[k])
        value = bound(stepped.ascent, k, x[k], z[k])
        of_e.append(g_u + added(k, g_u, e.gradients(value, retain=True)[k]))
    assert_wrote(stepped.encoder.network, of_e)
    assert_wrote(stepped.decoder.network, of_d)


def test_a_cell_with_a_penalty_draws_no_more_noise_than_one_without():
    def states(penalty):
        made = make_gan(penalty)
        noise = [torch.Generator().manual_seed(k) for k in range(K)]
        made.discriminator = descent("d", [Noise(0.1), *SMALL, Linear(1)], DX)
        made.noise = noise
        made.step(*batch(DX, NOISE + CODES))
        return torch.stack([g.get_state() for g in noise])

    assert torch.equal(states((0.0,) * K), states((0.0, 1.0, 0.0, 0.0)))


def test_a_beta_below_zero_is_refused():
    with pytest.raises(ValueError, match="beta must be a number >= 0, got -1: give one"):
        InformationTerm(torch.tensor([1.0, -1.0]), torch.tensor([True, True]))
