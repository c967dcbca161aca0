"""How many networks are trained at once.

A stack's activations stay within a budget: a share of the cache on a CPU, of the device's memory
on CUDA, where the held-out rows are counted too.
"""

from __future__ import annotations

import torch

from mine.critics.buffers import activation_bytes
from mine.critics.convolutional import Convolutional
from mine.critics.mlp import MLP
from mine.critics.protocol import CriticConfig
from mine.method.held_out import CHUNK_ROWS

MLP_BYTES = 32 << 20  # of activations on a CPU, where a few cells are worked on at a time
CACHE_BYTES = 12 << 20  # where all cells are worked on at once
CUDA_BYTES = 4 << 30
CUDA_HELD_OUT_BYTES = 24 << 30  # of held-out rows and of what is computed from them
HELD_OUT_COPIES = 6  # of the marginal values: themselves, their weights, and the error's terms
USER_STACK = 16  # a user's modules, whose activations nobody can foresee


def networks_at_once(
    critic: CriticConfig,
    sizes: tuple[int, int, int],
    rows: int,
    n_test: int,
    partners: int,
    device: torch.device | str = "cpu",
) -> int:
    """How many critics of this kind are trained as one stack.

    Args:
        critic: what each of them is.
        sizes: n rows, and the columns of x and of y.
        rows: pairs that a step looks at.
        n_test: test rows, beside the n.
        partners: marginal partners of each test row.
        device: where.
    """
    if isinstance(critic, MLP):
        budget, cell = MLP_BYTES, activation_bytes(critic.hidden, rows)
    elif isinstance(critic, Convolutional):
        budget, cell = CACHE_BYTES, 4 * rows * critic.activations(*sizes[1:])
    else:
        return USER_STACK
    if torch.device(device).type == "cuda":
        held_out = held_out_bytes(critic, sizes, n_test, partners)
        return min(CUDA_BYTES // cell, CUDA_HELD_OUT_BYTES // held_out)
    return budget // cell


def held_out_bytes(
    critic: CriticConfig, sizes: tuple[int, int, int], n_test: int, partners: int
) -> int:
    """What one cell's rows take, and its values on those that are held out.

    The rows are counted twice, since those of all cells are stacked. An image's patches are
    counted too, for all cells work on one chunk of rows at a time.
    """
    n, *dims = sizes
    rows = n + n_test
    numbers = 2 * rows * sum(dims) + HELD_OUT_COPIES * rows * partners
    chunk = CHUNK_ROWS * (1 + partners)
    if isinstance(critic, Convolutional):
        return 4 * (numbers + chunk * critic.activations(*dims))
    return 4 * (numbers + chunk * (sum(dims) + 3))
