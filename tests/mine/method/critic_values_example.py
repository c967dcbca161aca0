"""Critic values to test bounds with: at the optimal critic of a task, and arbitrary ones."""

from functools import lru_cache

import torch
from hypothesis import strategies as st

from mine.tasks import CorrelatedGaussian, NoiseChannel

TASKS = [
    CorrelatedGaussian(1, 0.0),
    CorrelatedGaussian(1, 0.9),
    CorrelatedGaussian(5, -0.5),
    NoiseChannel("cube", 0.4, 2),
    NoiseChannel("sin", 0.7, 1),
]
REPEATS, ROWS, PARTNERS = 40, 2000, 4
numbers = st.floats(-20, 20)
values = st.lists(numbers, min_size=2, max_size=30)


@st.composite
def paired_values(draw):
    """T on n joint pairs and on m marginal pairs of each."""
    n, m = draw(st.integers(2, 8)), draw(st.integers(1, 5))
    joint = draw(st.lists(numbers, min_size=n, max_size=n))
    marginal = draw(st.lists(numbers, min_size=m * n, max_size=m * n))
    return torch.tensor(joint).double(), torch.tensor(marginal).double()


@lru_cache
def samples(task, m=PARTNERS, rows=ROWS):
    """x (R N, dx), y, and m independent partners of each row, (m, R N, dy), in R data sets."""
    g = torch.Generator().manual_seed(0)
    n = REPEATS * rows
    x, y = task.sample(n, g)
    return x, y, torch.stack([task.sample(n, g)[1] for _ in range(m)])


@lru_cache
def optimal_values(task, m=PARTNERS, rows=ROWS):
    """The log-ratio on R data sets: t_joint (R, N) and t_marginal (R, m N)."""
    x, y, partners = samples(task, m, rows)
    t_marginal = torch.stack([task.log_ratio(x, p).view(REPEATS, rows) for p in partners], 1)
    return task.log_ratio(x, y).view(REPEATS, rows).double(), t_marginal.flatten(1).double()


def mean_and_error(found):
    """Of a value over the data sets."""
    return found.mean().item(), found.std().item() / REPEATS**0.5


DISTORTIONS = {
    "half": lambda t: 0.5 * t,
    "wavy": lambda t: t + torch.sin(3 * t),
    "tanh": torch.tanh,
}
