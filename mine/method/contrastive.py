r"""Contrastive bounds: a row's own y among m partners. InfoNCE, and I_alpha beside it.

    InfoNCE   E[log e^T(x, y) / mean(e^T(x, y), e^T(x, y_1), ..., e^T(x, y_m))] <= I(X; Y)

(van den Oord et al. 2018; I_NCE of Poole et al. 2019), a lower bound in nats for each x beside its
y and m partners. It never exceeds log(1 + m), whatever I is. The optimal critic is
log dP/dQ + C(x) for any function C; the bound tends to I there as m grows.

    I_alpha   1 + E[log(e^T(x, y) / a)] - E[e^T(x, y') / a'],
              a = alpha mean_K e^T(x, .) + (1 - alpha) e

lies between the f-divergence form (alpha 0) and InfoNCE (alpha 1) (Poole et al., with x and y
exchanged and q = e). The mean is over K = m values of the row: y and all but one partner in the
first term (averaged over which one is left out), the m partners in the second; y' is one of them.
It never exceeds 1 + log(m / alpha), and log m at alpha = 1. Near tight at T = 1 + log dP/dQ for
small alpha.

References:
    | Contrastive predictive coding (van den Oord et al., 2018), https://arxiv.org/abs/1807.03748
    | On variational bounds of MI (Poole et al., 2019), https://arxiv.org/abs/1905.06922
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from mine.method.bound import by_row
from mine.method.held_out import HeldOutValues
from mine.method.method import (
    LOWER,
    RATIO,
    SHIFTED,
    UP_TO_C,
    UP_TO_C_OF_X,
    Method,
    check_parameter,
)
from mine.method.objective import Objective, ascend


def infonce(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""E[log exp T(x, y) / mean(exp T(x, y), exp T(x, y_1), ..., exp T(x, y_m))] <= I(X; Y).

    Args:
        t_joint: shape (..., N).
        t_marginal: shape (..., m N).

    Returns:
        Shape (...): one value per stacked critic, in nats.
    """
    return (t_joint - _log_mean_with_joint(t_joint, by_row(t_joint, t_marginal))).mean(-1)


def _log_mean_with_joint(t_joint: Tensor, rows: Tensor) -> Tensor:
    """log-mean-exp of a row's joint and m marginal values: (..., N), (..., m, N) -> (..., N)."""
    both = torch.logaddexp(t_joint, torch.logsumexp(rows, -2))
    return both - math.log(1 + rows.shape[-2])


def held_out_infonce(values: HeldOutValues) -> tuple[Tensor, Tensor]:
    """The value and its standard error, (K,) each.

    A partner's influence is what its row's term would gain without it.
    """
    m = values.marginal.shape[1]
    log_sum = torch.logaddexp(values.joint, values.marginal.logsumexp(1))
    shares = (values.marginal - log_sum[:, None]).exp()
    weights = -m * torch.log1p(-shares.clamp(max=1.0 - 1e-6))
    error = values.error(values.joint - log_sum, weights, 0)
    return infonce(values.joint, values.flat), error


def _minus_infonce(t_joint: Tensor, t_marginal: Tensor) -> tuple[Tensor, Tensor]:
    rows, n = by_row(t_joint, t_marginal), t_joint.shape[-1]
    log_sum = torch.logaddexp(t_joint, torch.logsumexp(rows, -2))
    g_joint = torch.expm1(t_joint - log_sum).mul_(1.0 / n)
    return g_joint, torch.exp(rows - log_sum.unsqueeze(-2)).mul_(1.0 / n).flatten(-2)


INFONCE = ascend(infonce, _minus_infonce)


def interpolated(t_joint: Tensor, t_marginal: Tensor, alpha: float = 0.01) -> Tensor:
    r"""I_alpha <= I(X; Y). Shapes as in `infonce`."""
    joint, weights = _interpolated_terms(t_joint, by_row(t_joint, t_marginal), alpha)
    return 1.0 + joint.mean(-1) - weights.mean((-2, -1))


def _interpolated_terms(t_joint: Tensor, rows: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """What `interpolated` takes the means of: (..., N), (..., m, N) -> (..., N), (..., m, N)."""
    m = rows.shape[-2]

    def mixed(log_sum: Tensor) -> Tensor:
        if alpha == 0.0:
            return torch.ones_like(log_sum)
        inside = log_sum + math.log(alpha / m)
        if alpha == 1.0:
            return inside
        return torch.logaddexp(inside, torch.full_like(inside, 1.0 + math.log1p(-alpha)))

    others = [torch.cat([rows[..., :j, :], rows[..., j + 1 :, :]], -2) for j in range(m)]
    with_joint = [torch.logsumexp(torch.cat([t_joint.unsqueeze(-2), o], -2), -2) for o in others]
    log_joint = torch.stack([mixed(s) for s in with_joint]).mean(0)
    log_marginal = mixed(torch.logsumexp(rows, -2)).unsqueeze(-2)
    return t_joint - log_joint, torch.exp(rows - log_marginal)


def held_out_interpolated(values: HeldOutValues, alpha: float) -> tuple[Tensor, Tensor]:
    """The value and its standard error, (K,) each.

    A partner's influence is what its row's terms would gain without it.
    """
    joint, weights = _interpolated_terms(values.joint, values.marginal, alpha)
    terms, m = joint - weights.mean(1), weights.shape[1]
    if m > 1:
        weights = torch.stack([_terms_without(values, j, alpha) for j in range(m)], 1)
        weights = m * (weights - terms.unsqueeze(1))
    return interpolated(values.joint, values.flat, alpha), values.error(terms, weights, 0)


def _terms_without(values: HeldOutValues, j: int, alpha: float) -> Tensor:
    """Each row's terms without its j-th partner: (K, n)."""
    others = torch.cat([values.marginal[:, :j], values.marginal[:, j + 1 :]], 1)
    joint, weights = _interpolated_terms(values.joint, others, alpha)
    return joint - weights.mean(1)


def interpolation(alpha: float = 0.01) -> Objective:
    """`interpolated` at this alpha."""
    return ascend(lambda t_joint, t_marginal: interpolated(t_joint, t_marginal, alpha))


def infonce_method() -> Method:
    return Method(
        name="infonce",
        trains="InfoNCE",
        reports="InfoNCE",
        kind=LOWER,
        source="van den Oord et al. 2018",
        good_at="I well below its ceiling, ln(1 + partners): little variance",
        objective=INFONCE,
        bound=infonce,
        test=held_out_infonce,
        criterion=infonce,
        optimum=UP_TO_C_OF_X,
        valid_at=(RATIO, SHIFTED, UP_TO_C, UP_TO_C_OF_X),
        ceiling=lambda partners: math.log1p(partners),
    )


def interpolated_method(alpha: float = 0.01) -> Method:
    check_parameter(
        "alpha", alpha, 0.0 < alpha <= 1.0, "in (0, 1], such as 0.01 (for 0 take mine_f)"
    )
    bound = partial(interpolated, alpha=alpha)
    return Method(
        name="interpolated",
        trains="I_alpha",
        reports="I_alpha",
        kind=LOWER,
        source="Poole et al. 2019",
        good_at="trading InfoNCE's ceiling, here 1 + ln(partners / alpha), for NWJ's variance",
        objective=interpolation(alpha),
        bound=bound,
        test=partial(held_out_interpolated, alpha=alpha),
        criterion=bound,
        optimum=SHIFTED,
        valid_at=(SHIFTED,),
        ceiling=lambda partners: math.log(partners / alpha) + (alpha < 1.0),
    )


METHODS = (infonce_method, interpolated_method)
