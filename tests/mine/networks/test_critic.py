"""Statistics networks of any layers against a perceptron, and their noise."""

import pytest
import torch

from mine.critics.mlp import MLP
from mine.data.pairs import Shifts
from mine.networks.critic import Networks
from mine.networks.layers import Activation, Linear, Noise

K, B = 2, 16
PLAIN = Networks([Linear(8), Activation("elu"), Linear(5), Activation("elu")])


def generators():
    return [torch.Generator().manual_seed(i) for i in range(K)]


def rows():
    g = torch.Generator().manual_seed(5)
    return torch.randn(K, B, 3, generator=g), torch.randn(K, B, 2, generator=g)


def test_a_perceptron_of_layers_is_the_perceptron():
    ours, theirs = (c.stack(3, 2, generators(), "cpu") for c in (PLAIN, MLP((8, 5))))
    first, *further = theirs.views
    for view, value in zip(ours.views, [first[:, :-1], first[:, -1:], *further], strict=True):
        view.copy_(value)
    x, y = rows()
    values = [critic.values(x, y, Shifts(2)) for critic in (ours, theirs)]
    for one, two in zip(*values, strict=True):
        torch.testing.assert_close(one, two)
    for critic in (ours, theirs):
        with torch.no_grad():  # as an ascent calls it
            critic.backward(torch.full((K, B), 0.1), torch.full((K, 2 * B), -0.2))
    torch.testing.assert_close(ours.network.grads[0], theirs.grads[0][:, :-1])
    torch.testing.assert_close(ours.network.grads[-1], theirs.grads[-1])


def test_noise_is_drawn_anew_in_training_and_not_on_held_out_rows():
    critic = Networks([Noise(0.5), Linear(8), Activation("elu")]).stack(3, 2, generators(), "cpu")
    x, y = rows()
    held_out = [critic.values(x, y, Shifts(1), keep=False)[0] for _ in "12"]
    assert torch.equal(*held_out)
    trained = [critic.values(x, y, Shifts(1))[0] for _ in "12"]
    assert not torch.equal(*trained)
    assert critic.differentiable(x, y, Shifts(1))[0].isfinite().all()


def test_backward_asks_for_values_first():
    critic = PLAIN.stack(3, 2, generators(), "cpu")
    with pytest.raises(RuntimeError, match="needs the values of a batch first"):
        critic.backward(torch.zeros(K, B), torch.zeros(K, B))
