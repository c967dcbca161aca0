r"""The moving average of MINE's gradient (Eq. 12 of Belghazi et al. 2018, Sec. 3.2), in log space.

The average of the batches' means a_1, a_2, ... with the weight r of the newest batch starts at 0,

    s_t = (1 - r) s_{t-1} + r a_t,    and is divided by the weight it has gathered, 1 - (1 - r)^t.

So it is the first batch's mean at the first step, and always a mean of positive terms. It
contains the newest batch: no batch's weights exceed 1 / r.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mine.method.objective import State


def ema_init(shape: tuple[int, ...], device: torch.device | str = "cpu") -> State:
    """An empty average: (log of the weighted sum, log of the weight that is still missing)."""
    return torch.full(shape, -torch.inf, device=device), torch.zeros(shape, device=device)


def ema_update(state: State, log_mean: Tensor, rate: Tensor) -> tuple[Tensor, State]:
    r"""One step of the debiased exponential moving average of exp(log_mean).

    Args:
        state: what `ema_init` or the last call gave, each of shape (...).
        log_mean: log of the batch's mean of exp T, shape (...).
        rate: weight of the newest batch, in (0, 1], shape (...).

    Returns:
        The log of the debiased average, shape (...), and the next state.
    """
    log_sum, log_missing = state
    log_keep = torch.log1p(-rate)
    old, new = log_keep + log_sum, torch.log(rate) + log_mean
    # Not logaddexp: on a CPU it rounds the last few of many values differently from the first
    # ones, and a cell's bits would depend on the number of cells in its stack.
    apart = torch.sub(old, new).abs_().neg_()
    log_sum = torch.maximum(old, new).add_(apart.exp_().log1p_())
    log_missing = log_missing + log_keep
    log_weight = torch.log(-torch.expm1(log_missing))
    return log_sum - log_weight, (log_sum, log_missing)
