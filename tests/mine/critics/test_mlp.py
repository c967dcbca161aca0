"""The written-out backward is autograd's; stacked critics are single ones side by side."""

import pytest
import torch

from mine.critics.mlp import MLP
from mine.data.pairs import partners


@pytest.mark.parametrize("activation", ["elu", "relu", "silu"])
@pytest.mark.parametrize("hidden", [(7,), (7, 5), (4, 6, 5)])
@pytest.mark.parametrize("which", range(3), ids=["shifts", "permutations", "independent"])
@torch.no_grad()
@pytest.mark.parametrize("narrow", [0, 32], ids=["halves", "pairs"])
def test_values_and_gradients_are_those_of_the_plain_network(
    activation, hidden, which, narrow, monkeypatch, generators, reference, pairings
):
    monkeypatch.setattr("mine.critics.mlp.NARROW", {"cpu": narrow})
    torch.manual_seed(1)
    k, b, m, dx, dy = 3, 6, 2, 2, 3
    critic = MLP(hidden, activation).stack(dx, dy, generators(k), "cpu")
    pairing = pairings(k, b, m)[which]
    rows = b * (1 + m) if which == 2 else b
    x, y = torch.randn(k, b, dx), torch.randn(k, rows, dy)
    g_joint, g_marginal = torch.randn(k, b), torch.randn(k, m * b)
    t_joint, t_marginal = (t.clone() for t in critic.values(x, y, pairing))
    critic.backward(g_joint, g_marginal)
    met = partners(pairing, y, b).flatten(1, 2)
    for i in range(k):
        net = reference(critic, i, activation)
        xs = torch.cat([x[i]] * (1 + m))
        ys = torch.cat([y[i, :b], met[i]])
        with torch.enable_grad():
            t = net(torch.cat([xs, ys], 1)).squeeze(1)
            t.backward(torch.cat([g_joint[i], g_marginal[i]]))
        torch.testing.assert_close(torch.cat([t_joint[i], t_marginal[i]]), t.detach())
        first, *rest = (g[i] for g in critic.grads)
        found = [first[:-1], first[-1:], *rest]
        for grad, p in zip(found, net.parameters(), strict=True):
            wanted = p.grad.T if p.dim() == 2 else p.grad.unsqueeze(0)
            torch.testing.assert_close(grad, wanted, rtol=1e-3, atol=5e-5)


@torch.no_grad()
def test_the_start_of_a_cell_does_not_depend_on_its_neighbours(generators):
    config = MLP((8, 8))
    many = config.stack(2, 2, generators(5), "cpu")
    one = config.stack(2, 2, generators(5)[3:4], "cpu")
    for a, b in zip(many.views, one.views, strict=True):
        assert torch.equal(a[3], b[0])


@torch.no_grad()
def test_the_fan_in_start_is_uniform_within_its_bound(generators):
    critic = MLP((400, 300)).stack(3, 2, generators(1), "cpu")
    bounds = [5**-0.5] + [400**-0.5] * 2 + [300**-0.5] * 2
    for view, bound in zip(critic.views, bounds, strict=True):
        assert view.abs().max() <= bound
        if view.numel() > 1000:
            assert view.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


@torch.no_grad()
@pytest.mark.parametrize("dx", [1, 3])
def test_the_notes_start_is_normal_with_deviation_002_and_zero_biases(dx, generators):
    critic = MLP((300, 300), init="normal").stack(dx, 2, generators(1), "cpu")
    first, w2, b2, w3, b3 = critic.views
    assert all(bool((b == 0).all()) for b in (first[:, -1], b2, b3))
    assert all(bool((w != 0).any()) for w in (first[:, :-1], w3))
    assert w2.std().item() == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": ()}, "hidden must be widths"),
        ({"hidden": (0,)}, "hidden must be widths"),
        ({"activation": "gelu"}, "activation must be one of"),
        ({"init": "zeros"}, "init must be one of"),
    ],
)
def test_a_network_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MLP(**options)
