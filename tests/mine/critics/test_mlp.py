"""The written-out backward is autograd's; stacked critics are single ones side by side."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mine.critics import buffers as critics
from mine.critics.buffers import activation_bytes, even_parts
from mine.critics.flat import per_parameter
from mine.critics.mlp import MLP
from mine.critics.modules import Modules, stack_modules
from mine.data.pairs import Independent, Permutations, Shifts, partners
from mine.training.clipping import clip_each

ACTIVATIONS = {"elu": nn.ELU, "relu": nn.ReLU, "silu": nn.SiLU}


def generators(k, seed=0):
    return [torch.Generator().manual_seed(seed + i) for i in range(k)]


def reference(critic, k, activation):
    """The k-th stacked MLP as a plain module on the concatenated pair."""
    first, *rest = (v[k] for v in critic.views)
    layers = []
    for w, b in zip([first[:-1], *rest[::2]], [first[-1:], *rest[1::2]], strict=True):
        layers += [nn.Linear(*w.shape), ACTIVATIONS[activation]()]
        layers[-2].weight.data, layers[-2].bias.data = w.T.clone(), b[0].clone()
    return nn.Sequential(*layers[:-1])


class Pair(nn.Module):
    """A network of a user's own."""

    def __init__(self, dx, dy):
        super().__init__()
        self.net = nn.Linear(dx + dy, 1)

    def forward(self, x, y):
        return self.net(torch.cat([x, y], -1)).squeeze(-1)


def pairings(k, b, m):
    index = torch.stack([torch.stack([torch.randperm(b) for _ in range(m)]) for _ in range(k)])
    return [Shifts(m), Permutations.of(index), Independent(m)]


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("hidden", [(7,), (7, 5), (4, 6, 5)])
@pytest.mark.parametrize("which", range(3), ids=["shifts", "permutations", "independent"])
@torch.no_grad()
@pytest.mark.parametrize("narrow", [0, 32], ids=["halves", "pairs"])
def test_values_and_gradients_are_those_of_the_plain_network(
    activation, hidden, which, narrow, monkeypatch
):
    monkeypatch.setattr("mine.critics.mlp.NARROW", narrow)
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
def test_a_module_of_ones_own_is_stacked_like_the_built_in_network():
    k, b, m, dx, dy = 3, 6, 2, 2, 3

    class Concatenated(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x, y):
            return self.net(torch.cat([x, y], -1)).squeeze(-1)

    built_in = MLP((7, 5)).stack(dx, dy, generators(k), "cpu")
    own = stack_modules([Concatenated(reference(built_in, i, "elu")) for i in range(k)])
    for pairing, rows in zip(pairings(k, b, m), (b, b, b * (1 + m)), strict=True):
        x, y = torch.randn(k, b, dx), torch.randn(k, rows, dy)
        for ours, theirs in zip(
            built_in.values(x, y, pairing), own.values(x, y, pairing), strict=True
        ):
            torch.testing.assert_close(ours, theirs)
        g_joint, g_marginal = torch.randn(k, b), torch.randn(k, m * b)
        built_in.backward(g_joint, g_marginal)
        own.backward(g_joint, g_marginal)
        ours = torch.cat([g.flatten(1) for g in built_in.grads], 1).norm(dim=1)
        theirs = torch.cat([g.flatten(1) for g in own.grads], 1).norm(dim=1)
        torch.testing.assert_close(ours, theirs)


def test_a_module_that_gives_more_than_one_number_a_row_is_refused():
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(2, 3)

        def forward(self, x, y):
            return self.net(torch.cat([x, y], -1))

    critic = stack_modules([Wide()])
    with pytest.raises(ValueError, match="one number a row"):
        critic.values(torch.zeros(1, 4, 1), torch.zeros(1, 4, 1), Shifts(1))


@torch.no_grad()
def test_the_start_of_a_cell_does_not_depend_on_its_neighbours():
    config = MLP((8, 8))
    many = config.stack(2, 2, generators(5), "cpu")
    one = config.stack(2, 2, generators(5)[3:4], "cpu")
    for a, b in zip(many.views, one.views, strict=True):
        assert torch.equal(a[3], b[0])


@torch.no_grad()
@pytest.mark.parametrize("activation", ["elu", "relu", "silu"])
@pytest.mark.parametrize("hidden", [(8,), (16, 8), (8, 16, 8)])
@pytest.mark.parametrize("d", [1, 30], ids=["pairs", "halves"])
def test_a_stack_that_goes_group_by_group_has_the_bits_of_one_that_goes_at_once(
    monkeypatch, activation, hidden, d
):
    """Also where the numbers of a group fill no register. (The matrix products of the processor's
    library round widths such as 5 by where in memory they stand.)"""
    x, y = torch.randn(2, 7, 9, d, generator=generators(1)[0])
    found = []
    for groups in (1, 3):
        monkeypatch.setattr(
            critics, "GROUP_BYTES", -(-7 // groups) * activation_bytes(hidden, 3 * 9)
        )
        critic = MLP(hidden, activation).stack(d, d, generators(7), "cpu")
        t = [v.clone() for v in critic.values(x, y, Shifts(2))]
        assert len(critic._buffers[9, 11, 2, True].groups) == groups
        critic.backward(*(v / 9 for v in t))
        found.append([*t, critic.grad.clone()])
    for at_once, by_groups in zip(*found, strict=True):
        assert torch.equal(at_once, by_groups)


@torch.no_grad()
@pytest.mark.parametrize("config", [MLP((8, 16, 8)), MLP((16, 8), "silu"), Modules(Pair)], ids=str)
def test_what_is_not_kept_changes_no_value_and_has_no_gradient(monkeypatch, config):
    """Groups that share one memory, which are those of a test, say what groups of their own do."""
    monkeypatch.setattr(critics, "GROUP_BYTES", 3 * activation_bytes((8, 16, 8), 27))
    x, y = torch.randn(2, 7, 9, 1, generator=generators(1)[0])
    critic = config.stack(1, 1, generators(7), "cpu")
    kept = [v.clone() for v in critic.values(x, y, Shifts(2))]
    for one, other in zip(kept, critic.values(x, y, Shifts(2), keep=False), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(RuntimeError, match="values of a batch first"):
        critic.backward(*kept)


@given(n=st.integers(1, 50), count=st.integers(1, 60))
def test_even_parts_are_alike_and_none_is_one_of_several(n, count):
    parts = even_parts(n, count)
    sizes = [part.stop - part.start for part in parts]
    assert [i for part in parts for i in range(n)[part]] == list(range(n))
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(n, 2)
    assert len(parts) == max(1, min(count, n // 2))


@torch.no_grad()
def test_the_fan_in_start_is_uniform_within_its_bound():
    critic = MLP((400, 300)).stack(3, 2, generators(1), "cpu")
    bounds = [5**-0.5] + [400**-0.5] * 2 + [300**-0.5] * 2
    for view, bound in zip(critic.views, bounds, strict=True):
        assert view.abs().max() <= bound
        if view.numel() > 1000:
            assert view.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


@torch.no_grad()
@pytest.mark.parametrize("dx", [1, 3])
def test_the_notes_start_is_normal_with_deviation_002_and_zero_biases(dx):
    critic = MLP((300, 300), init="normal").stack(dx, 2, generators(1), "cpu")
    first, w2, b2, w3, b3 = critic.views
    assert all(bool((b == 0).all()) for b in (first[:, -1], b2, b3))
    assert all(bool((w != 0).any()) for w in (first[:, :-1], w3))
    assert w2.std().item() == pytest.approx(0.02, rel=0.02)


@torch.no_grad()
def test_clipping_bounds_each_cell_alone():
    critic = MLP((4,)).stack(1, 1, generators(3), "cpu")
    sizes = per_parameter(critic, torch.tensor([0.001, 1.0, 100.0]))
    critic.grad.copy_(sizes)
    clip_each(critic, 1.0)
    norms = torch.cat([g.flatten(1) for g in critic.grads], 1).norm(dim=1)
    small = 0.001 * (critic.theta.numel() / 3) ** 0.5
    torch.testing.assert_close(norms, torch.tensor([small, 1.0, 1.0]), rtol=1e-4, atol=1e-6)


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
