"""Stacked layers against torch's own modules, one cell at a time."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from mine.networks.layers import (
    ACTIVATIONS,
    Activation,
    BatchNorm,
    Conv,
    Dropout,
    Linear,
    Noise,
    Reshape,
    TransposedConv,
    in_groups,
    one_by_one,
)
from mine.networks.stacked import Network, stacked

K, B = 3, 16


def generators(k=K, first=0):
    return [torch.Generator().manual_seed(first + i) for i in range(k)]


def cell(network: Network, k: int, *modules: nn.Module) -> nn.Sequential:
    """The same network of torch's modules, with the parameters of cell k."""
    with torch.no_grad():
        views = iter(network.views)
        for module in modules:
            for parameter in module.parameters():
                value = next(views)[k]
                parameter.copy_(
                    (value.mT if parameter.dim() == 2 else value).reshape(parameter.shape)
                )
    return nn.Sequential(*modules)


CASES = {
    "linear": ([Linear(5)], (4,), lambda: [nn.Linear(4, 5)]),
    "linear without bias": ([Linear(5, bias=False)], (4,), lambda: [nn.Linear(4, 5, bias=False)]),
    "convolution": (
        [Conv(6, kernel=3, stride=2, padding=1)], (2, 8, 8), lambda: [nn.Conv2d(2, 6, 3, 2, 1)]
    ),
    "transposed convolution": (
        [TransposedConv(2, kernel=4, stride=2, padding=1)], (3, 5, 5),
        lambda: [nn.ConvTranspose2d(3, 2, 4, 2, 1)],
    ),
    "batch norm of features": ([BatchNorm()], (4,), lambda: [nn.BatchNorm1d(4)]),
    "batch norm of images": ([BatchNorm()], (3, 4, 4), lambda: [nn.BatchNorm2d(3)]),
    "a discriminator of images": (
        [
            Conv(4), Activation("leaky_relu"), Conv(8, bias=False), BatchNorm(),
            Activation("leaky_relu"), Linear(1),
        ],
        (1, 16, 16),
        lambda: [
            nn.Conv2d(1, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 8, 4, 2, 1, bias=False),
            nn.BatchNorm2d(8), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(128, 1),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_stack_is_torchs_modules_cell_by_cell(name):
    """In training, in evaluation by what batch norm remembers, and so the gradients."""
    layers, shape, modules = CASES[name]
    network = stacked(layers, shape, generators())
    x = torch.randn(K, B, *shape, generator=torch.Generator().manual_seed(9)) * 2 + 1
    singles = [cell(network, k, *modules()) for k in range(K)]
    out = network(x, training=True)
    assert out.shape == (K, B, *network.out_shape)
    gradient = network.gradients(out.square().sum())
    for k, single in enumerate(singles):
        theirs = single(x[k])
        torch.testing.assert_close(out[k], theirs, rtol=1e-5, atol=1e-5)
        found = torch.autograd.grad(theirs.square().sum(), list(single.parameters()))
        flat = torch.cat([(g.mT if g.dim() == 2 else g).flatten() for g in found])
        torch.testing.assert_close(gradient[k], flat, rtol=1e-4, atol=1e-3)
    with torch.no_grad():
        after = network(x)
        for k, single in enumerate(singles):
            torch.testing.assert_close(after[k], single.eval()(x[k]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("convolve", "weight"),
    [(nn.functional.conv2d, (K, 5, 3, 4, 4)), (nn.functional.conv_transpose2d, (K, 3, 5, 4, 4))],
)
@pytest.mark.parametrize("biased", [True, False])
def test_convolutions_in_groups_are_those_one_by_one(convolve, weight, biased):
    """The former on CUDA, the latter on a CPU."""
    g = torch.Generator().manual_seed(4)
    x, w, b = (torch.randn(s, generator=g) for s in ((K, B, 3, 6, 6), weight, (K, 5)))
    of = [w, b] if biased else [w]
    strided = partial(convolve, stride=2, padding=1)
    torch.testing.assert_close(
        in_groups(strided, x, of), one_by_one(strided, x, of), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_that_of_its_name(name):
    x = torch.linspace(-3, 3, 12).view(1, 4, 3)
    network = stacked([Activation(name)], (3,), generators(1))
    theirs = {"leaky_relu": nn.LeakyReLU(0.2)}.get(name, getattr(nn.functional, name, None))
    assert torch.equal(network(x), theirs(x))


def test_initial_parameters_are_torchs_uniform_or_normal():
    uniform = stacked([Linear(400)], (100,), generators(1))
    assert all(
        v.abs().max() <= 0.1 and v.std() == pytest.approx(0.1 / 3**0.5, rel=0.05)
        for v in uniform.views
    )
    normal = stacked([Conv(64, std=0.02)], (8, 4, 4), generators(1))
    assert normal.views[0].std() == pytest.approx(0.02, rel=0.05) and not normal.views[1].any()


def test_a_cells_parameters_do_not_depend_on_its_neighbours():
    layers = [Linear(5), BatchNorm(), Linear(2)]
    whole, last = (stacked(layers, (3,), generators(k, first)) for k, first in ((3, 0), (1, 2)))
    assert all(torch.equal(a[2:], b) for a, b in zip(whole.views, last.views, strict=True))


def test_dropout_keeps_the_mean_and_drops_its_share_in_training_alone():
    network = stacked([Dropout(0.3)], (1000,), generators(2))
    x = torch.ones(2, 50, 1000)
    dropped = network(x, training=True, noise=generators(2))
    assert (dropped == 0).float().mean() == pytest.approx(0.3, abs=0.01)
    assert dropped.mean() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(network(x), x)


def test_noise_has_its_deviation_in_training_and_where_it_is_asked_for():
    network = stacked([Noise(0.5)], (1000,), generators(2))
    x = torch.zeros(2, 50, 1000)
    for how in ({"training": True}, {"noisy": True}):
        assert network(x, noise=generators(2), **how).std() == pytest.approx(0.5, rel=0.02)
    assert torch.equal(network(x), x)


def test_a_cells_noise_does_not_depend_on_its_neighbours():
    network = stacked([Noise(1.0), Dropout(0.5)], (4,), generators(3))
    x = torch.zeros(3, 5, 4)
    whole = network(x, training=True, noise=generators(3))
    part = network(x[1:2], training=True, noise=generators(1, first=1), cells=torch.tensor([1]))
    assert torch.equal(whole[1:2], part)


def test_a_gradient_is_written_where_the_optimizer_reads_it():
    network = stacked([Linear(3), Activation("tanh"), Linear(1)], (2,), generators())
    gradient = network.gradients(network(torch.ones(K, B, 2)).sum())
    network.write_gradient(gradient)
    assert gradient.shape == (K, 3 * 3 + 4)
    assert torch.equal(torch.cat([g.flatten(1) for g in network.grads], 1), gradient)
    assert network.grad.abs().sum() == pytest.approx(float(gradient.abs().sum()), rel=1e-6)


def test_a_network_with_a_number_that_is_not_finite_is_found():
    network = stacked([Linear(3)], (2,), generators())
    network.views[1][1, 0, 2] = torch.nan
    assert network.finite().tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Activation("swish"), "activation must be one of .*'leaky_relu'.*got 'swish'"),
        (lambda: Dropout(1.0), r"probability must be in \[0, 1\), got 1.0"),
        (
            lambda: stacked([Conv(2)], (4,), generators()),
            r"Conv needs \(channels, rows, columns\)",
        ),
        (lambda: stacked([Reshape((2, 3))], (4,), generators()), "a shape of 4 numbers"),
        (
            lambda: stacked([Noise(1.0)], (4,), generators())(torch.zeros(3, 1, 4), training=True),
            "for 3 cells, got no generators",
        ),
    ],
)
def test_layers_that_cannot_be_say_what_to_do(make, message):
    with pytest.raises(ValueError, match=message):
        make()
