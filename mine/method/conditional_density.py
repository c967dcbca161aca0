r"""Fitted densities: CLUB, an upper bound, and the difference of entropies.

The critic is a density (`mine.critics.densities`): log q(y | x), and log r(y) where one is needed.
Training fits it by its likelihood, E_p[log q(y | x)] <= -H(Y | X). Two values in nats:

    CLUB   E_p[log q(y | x)] - E_q[log q(y | x)] >= I(X; Y)    at q(y | x) = p(y | x)

(Cheng et al. 2020) is an upper bound at the true conditional density, and with a fitted one (their
vCLUB) as long as it is closer to p(y | x) than to p(y). It exceeds I by KL(p(x) p(y) || p(x, y)):
it is not tight.

    DoE    E_p[log q(y | x)] - E_p[log r(y)] = I + KL(p(y) || r) - KL(p(y | x) || q)

(McAllester and Stratos 2020) is the difference of two cross-entropies. Each is an upper bound of
its entropy, which the model is fitted to make small; the difference is neither bound.

References:
    | CLUB (Cheng et al., 2020), https://arxiv.org/abs/2006.12013
    | Limitations on the measurement of MI (McAllester and Stratos, 2020),
      https://arxiv.org/abs/1811.04251
"""

from __future__ import annotations

import torch
from torch import Tensor

from mine.critics.densities import shaped_like
from mine.method.held_out import HeldOutValues
from mine.method.method import CONDITIONAL, DENSITIES, NEITHER, UPPER, Method
from mine.method.objective import ascend


def club(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""E_p[log q(y | x)] - E_q[log q(y | x)] >= I(X; Y) at q(y | x) = p(y | x).

    Args:
        t_joint: log q(y_i | x_i), shape (..., N).
        t_marginal: log q(y | x) on marginal pairs, shape (..., M).

    Returns:
        Shape (...): one value per stacked critic, in nats.
    """
    return t_joint.mean(-1) - t_marginal.mean(-1)


def difference_of_entropies(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""E_p[log q(y | x)] - E_p[log r(y)].

    Args:
        t_joint: log q(y_i | x_i), shape (..., N).
        t_marginal: log r(y) on samples of y, shape (..., M).

    Returns:
        Shape (...): one value per stacked critic, in nats.
    """
    return t_joint.mean(-1) - t_marginal.mean(-1)


def held_out_difference(values: HeldOutValues) -> tuple[Tensor, Tensor]:
    """Both values are the mean joint less the mean marginal value. It and its error, (K,) each."""
    return club(values.joint, values.flat), values.error(values.joint, values.marginal)


def likelihood(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    """E_p[log q(y | x)] <= -H(Y | X): what a conditional density is fitted by. Args: `club`'s."""
    return t_joint.mean(-1)


def likelihoods(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    """E_p[log q(y | x)] + E_p[log r(y)]. Args: `difference_of_entropies`'."""
    return t_joint.mean(-1) + t_marginal.mean(-1)


def _minus_likelihood(t_joint: Tensor, t_marginal: Tensor) -> tuple[Tensor, Tensor]:
    return torch.full_like(t_joint, -1.0 / t_joint.shape[-1]), torch.zeros_like(t_marginal)


def _minus_likelihoods(t_joint: Tensor, t_marginal: Tensor) -> tuple[Tensor, Tensor]:
    n, m = t_joint.shape[-1], t_marginal.shape[-1]
    return torch.full_like(t_joint, -1.0 / n), torch.full_like(t_marginal, -1.0 / m)


LIKELIHOOD = ascend(likelihood, _minus_likelihood)
LIKELIHOODS = ascend(likelihoods, _minus_likelihoods)


def club_method(components: int = 1) -> Method:
    return Method(
        name="club",
        trains="likelihood of q(y|x), a mixture of Gaussians",
        reports="E_p[log q(y|x)] - E_q[log q(y|x)]",
        kind=UPPER,
        source="Cheng et al. 2020",
        good_at="an upper companion; loose, and a bound only as far as q is p(y|x)",
        objective=LIKELIHOOD,
        bound=club,
        test=held_out_difference,
        criterion=likelihood,
        optimum=CONDITIONAL,
        valid_at=(CONDITIONAL,),
        critic=shaped_like(components),
    )


def doe(components: int = 4) -> Method:
    return Method(
        name="doe",
        trains="likelihoods of q(y|x) and r(y), mixtures of Gaussians",
        reports="E_p[log q(y|x)] - E_p[log r(y)]",
        kind=NEITHER,
        source="McAllester and Stratos 2020",
        good_at="I beyond ln n, where y has few columns and a density that mixtures can fit",
        objective=LIKELIHOODS,
        bound=difference_of_entropies,
        test=held_out_difference,
        criterion=likelihoods,
        optimum=DENSITIES,
        valid_at=(DENSITIES,),
        critic=shaped_like(components, "own"),
    )


METHODS = (club_method, doe)
