r"""TUBA: the log of Donsker and Varadhan made linear around a baseline.

    1 + E_p[T - log a(x)] - E_q[e^T / a(x)] <= I(X; Y)        (I_TUBA of Poole et al. 2019)

for every critic T and every baseline a > 0 that does not see the row's own y or partners, in nats;
tight at T = log dP/dQ + log a(x). The f-divergence form is the case a = e. The method takes for a,
on each half of the rows, the mean of e^T over the other half: the value is below I in expectation
however few the rows are, and tight where Donsker and Varadhan's is. Its training follows MINE's
gradient, which is TUBA's with the moving average as baseline.

References:
    | On variational bounds of MI (Poole et al., 2019), https://arxiv.org/abs/1905.06922
"""

from __future__ import annotations

import torch
from torch import Tensor

from mine.method.bound import by_row, log_mean_exp
from mine.method.donsker_varadhan import MINE
from mine.method.held_out import HeldOutValues
from mine.method.method import LOWER, RATIO, SHIFTED, UP_TO_C, Method


def tuba(t_joint: Tensor, t_marginal: Tensor, log_baseline: Tensor) -> Tensor:
    r"""1 + E_p[T - log a(x)] - E_q[exp(T) / a(x)] <= I(X; Y).

    Args:
        t_joint: shape (..., N).
        t_marginal: shape (..., m N).
        log_baseline: log a(x_i), shape (..., N).

    Returns:
        Shape (...): one value per stacked critic, in nats.
    """
    weights = torch.exp(by_row(t_joint, t_marginal) - log_baseline.unsqueeze(-2))
    return 1.0 + (t_joint - log_baseline).mean(-1) - weights.mean((-2, -1))


def other_half(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    """For the rows of each half, the log-mean-exp of the other's marginal values: (..., N)."""
    rows = by_row(t_joint, t_marginal)
    if rows.shape[-1] < 2:
        raise ValueError("expected two rows or more to split in halves, got 1: bring more")
    first, second = rows.tensor_split(2, -1)
    means = log_mean_exp(second.flatten(-2)), log_mean_exp(first.flatten(-2))
    sizes = first.shape[-1], second.shape[-1]
    halves = [c.unsqueeze(-1).expand(*c.shape, n) for c, n in zip(means, sizes, strict=True)]
    return torch.cat(halves, -1)


def cross_fitted_tuba(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""`tuba` with the baseline of `other_half`. (..., N), (..., m N) -> (...)."""
    return tuba(t_joint, t_marginal, other_half(t_joint, t_marginal))


def held_out_tuba(values: HeldOutValues) -> tuple[Tensor, Tensor]:
    """The cross-fitted value and its standard error, (K,) each.

    The error of the baseline does not count to first order.
    """
    log_baseline = other_half(values.joint, values.flat)
    value = tuba(values.joint, values.flat, log_baseline)
    weights = (values.marginal - log_baseline[:, None]).exp()
    return value, values.error(values.joint, weights)


def tuba_method() -> Method:
    return Method(
        name="tuba",
        trains="TUBA, baseline a moving average (MINE's gradient)",
        reports="TUBA, baseline from the other half of the rows",
        kind=LOWER,
        source="Poole et al. 2019",
        good_at="few test rows: below I on average, where DV's log makes it too large",
        objective=MINE,
        bound=cross_fitted_tuba,
        test=held_out_tuba,
        criterion=cross_fitted_tuba,
        optimum=UP_TO_C,
        valid_at=(RATIO, SHIFTED, UP_TO_C),
    )


METHODS = (tuba_method,)
