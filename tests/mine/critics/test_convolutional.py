"""A convolutional critic: stacked ones are single ones, for both sizes and one or two images."""

import pytest
import torch
from torch import nn

from mine.critics.convolutional import Convolutional, Halving, Network
from mine.data.pairs import Independent, Shifts, partners


def generators(k):
    return [torch.Generator().manual_seed(i) for i in range(k)]


@pytest.mark.parametrize("side", [8, 28])
@pytest.mark.parametrize("images", [1, 2])
@torch.no_grad()
def test_stacked_critics_are_single_ones_side_by_side(side, images):
    config = Convolutional(side, (3, 5), (7,))
    k, b, m, d = 3, 4, 2, images * side**2
    critic = config.stack(d, d, generators(k), "cpu")
    draw = torch.Generator().manual_seed(9)
    for pairing, rows in ((Shifts(m), b), (Independent(m), b * (1 + m))):
        x, y = (torch.rand(k, n, d, generator=draw) for n in (b, rows))
        g_joint, g_marginal = (torch.randn(k, n, generator=draw) for n in (b, m * b))
        t_joint, t_marginal = (t.clone() for t in critic.values(x, y, pairing))
        critic.backward(g_joint, g_marginal)
        met = partners(pairing, y, b).flatten(1, 2)
        for i in range(k):
            net = Network(config, d, d)
            for p, view in zip(net.parameters(), critic.views, strict=True):
                p.copy_(view[i])
            with torch.enable_grad():
                t = net(torch.cat([x[i]] * (1 + m)), torch.cat([y[i, :b], met[i]]))
                t.backward(torch.cat([g_joint[i], g_marginal[i]]))
            torch.testing.assert_close(torch.cat([t_joint[i], t_marginal[i]]), t.detach())
            for p, grad in zip(net.parameters(), critic.grads, strict=True):
                torch.testing.assert_close(grad[i], p.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [1, 4, 7, 28])
@torch.no_grad()
def test_halving_is_the_librarys_convolution(side):
    layer, images = Halving(3, 5), torch.rand(2, side, side, 3)
    weight = layer.product.weight.view(5, 3, 3, 3).movedim(-1, 1)  # (outputs, inputs, 3, 3)
    wanted = nn.functional.conv2d(
        images.movedim(-1, 1), weight, layer.product.bias, stride=2, padding=1
    )
    torch.testing.assert_close(layer(images), wanted.movedim(1, -1))


@torch.no_grad()
def test_a_critics_bits_do_not_depend_on_how_many_stand_beside_it():
    config, k = Convolutional(8, (4, 8), (16,)), 6
    draw = torch.Generator().manual_seed(9)
    x, y = (torch.rand(k, 32, 64, generator=draw) for _ in range(2))
    g_joint, g_marginal = (torch.randn(k, n, generator=draw) for n in (32, 64))
    found = []
    for size in (6, 3, 2):
        parts = []
        for i in range(0, k, size):
            part = slice(i, i + size)
            critic = config.stack(64, 64, generators(k)[part], "cpu")
            values = [t.clone() for t in critic.values(x[part], y[part], Shifts(2))]
            critic.backward(g_joint[part], g_marginal[part])
            parts.append(torch.cat([*values, *(g.flatten(1) for g in critic.grads)], 1))
        found.append(torch.cat(parts))
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


@torch.no_grad()
def test_the_start_of_a_cell_does_not_depend_on_its_neighbours():
    config = Convolutional(8, (3,), (4,))
    many, one = (config.stack(64, 64, generators(4)[rows], "cpu") for rows in
                 (slice(0, 4), slice(2, 3)))  # fmt: skip
    for a, b in zip(many.views, one.views, strict=True):
        assert torch.equal(a[2], b[0])


@torch.no_grad()
def test_each_pixel_of_both_sides_has_a_say():
    net = Network(Convolutional(8, (4, 4), (8,)), 64, 64)
    x, y = (torch.rand(1, 64).requires_grad_() for _ in range(2))
    with torch.enable_grad():
        of_x, of_y = torch.autograd.grad(net(x, y).sum(), (x, y))
    assert bool((of_x != 0).all()) and bool((of_y != 0).all())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": ()}, "channels must be whole numbers"),
        ({"hidden": (0,)}, "hidden must be whole numbers"),
        ({"side": 0}, "side must be a whole number"),
        ({"activation": "gelu"}, "activation must be one of"),
    ],
)
def test_a_network_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Convolutional(**options)


@pytest.mark.parametrize("columns", [1, 65, 100])
def test_columns_that_are_no_images_are_refused(columns):
    with pytest.raises(ValueError, match=f"images of 8 x 8, got {columns} and"):
        Convolutional(8).stack(columns, columns, generators(1), "cpu")
