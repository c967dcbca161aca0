"""What the tests of stacked networks share."""

import pytest
import torch
from torch import nn

from mine.data.pairs import Independent, Permutations, Shifts

ACTIVATIONS = {"elu": nn.ELU, "relu": nn.ReLU, "silu": nn.SiLU}


@pytest.fixture
def generators():
    """k generators with seeds of their own."""
    return lambda k, seed=0: [torch.Generator().manual_seed(seed + i) for i in range(k)]


@pytest.fixture
def reference():
    """(stacked MLP, k, activation) -> its k-th network as a plain module on concatenated pairs."""

    def plain(critic, k, activation):
        first, *rest = (v[k] for v in critic.views)
        layers = []
        for w, b in zip([first[:-1], *rest[::2]], [first[-1:], *rest[1::2]], strict=True):
            layers += [nn.Linear(*w.shape), ACTIVATIONS[activation]()]
            layers[-2].weight.data, layers[-2].bias.data = w.T.clone(), b[0].clone()
        return nn.Sequential(*layers[:-1])

    return plain


@pytest.fixture
def pairings():
    """(k, b, m) -> a pairing of each kind."""

    def of(k, b, m):
        index = [torch.stack([torch.randperm(b) for _ in range(m)]) for _ in range(k)]
        return [Shifts(m), Permutations.of(torch.stack(index)), Independent(m)]

    return of
