r"""Bounds and estimates of mutual information, and the objectives that training ascends.

The value that is reported and the function whose gradient is followed are two things with two
names: a *bound* maps critic values to nats; an *objective* maps them, and a state of its own, to
a surrogate whose gradient is right and whose value may mean nothing (a `Method` pairs them).

Notation: ``t_joint`` (..., N) holds T(x_i, y_i) for (x_i, y_i) ~ p(x, y); ``t_marginal``
(..., m N) holds T(x, y) for (x, y) ~ p(x) p(y), laid out so that
``by_row(t_joint, t_marginal)[..., j, i]`` is T(x_i, y) with the j-th of the m partners of x_i.
Functions that say shape (..., M) need no partners, any M values do. Leading axes are stacked
critics: each function gives one value for each, shape (...). Unit: nats. P is the joint
distribution, Q the product of the marginals.

References:
    | Mutual Information Neural Estimation (Belghazi et al., 2018), https://arxiv.org/abs/1801.04062
    | Estimating divergence functionals (Nguyen et al., 2010), https://arxiv.org/abs/0809.0853
    | On variational bounds of MI (Poole et al., 2019), https://arxiv.org/abs/1905.06922
    | Contrastive predictive coding (van den Oord et al., 2018), https://arxiv.org/abs/1807.03748
    | Limitations of variational MI estimators (Song and Ermon, 2020),
      https://arxiv.org/abs/1910.06222
    | f-GAN (Nowozin et al., 2016), https://arxiv.org/abs/1606.00709
    | f-DIME (Letizia et al., 2024), https://arxiv.org/abs/2305.20025
    | ReMINE (Choi and Lee, 2020), https://arxiv.org/abs/2011.07932
    | CLUB (Cheng et al., 2020), https://arxiv.org/abs/2006.12013
    | Limitations on the measurement of MI (McAllester and Stratos, 2020),
      https://arxiv.org/abs/1811.04251
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

State = tuple[Tensor, ...]
Bound = Callable[[Tensor, Tensor], Tensor]
"""(t_joint, t_marginal) -> nats."""


def log_mean_exp(t: Tensor) -> Tensor:
    """log of the mean of exp(t) over the last axis, without overflow. (..., N) -> (...)."""
    return torch.logsumexp(t, -1) - math.log(t.shape[-1])


def by_row(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    """The marginal values (..., m N) filed under their rows of x: (..., m, N)."""
    n, found = t_joint.shape[-1], t_marginal.shape[-1]
    if found == 0 or found % n:
        raise ValueError(
            f"expected m marginal values for each of {n} joint ones, got {found}: "
            "give every row of x as many partners"
        )
    return t_marginal.unflatten(-1, (found // n, n))


# ---------------------------------------------------------------- lower bounds


def log_partition(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    """log E_q[e^T], in nats: the constant C of a critic T = log dP/dQ + C. No estimate of I.

    DV leaves C free, so that training may let it drift (Choi and Lee 2020); shapes as in
    `donsker_varadhan`.
    """
    return log_mean_exp(t_marginal)


def donsker_varadhan(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""E_p[T] - log E_q[exp T] <= I(X; Y) (Belghazi et al., Sec. 2.2, Theorem 1; Eq. 6 and 10).

    Lower bound, tight at T = log dP/dQ + C for any constant C. On a finite sample it may exceed I,
    since the log of a mean of few terms is too small.

    Args:
        t_joint: shape (..., N).
        t_marginal: shape (..., M).

    Returns:
        Shape (...): one value per stacked critic, in nats.
    """
    return t_joint.mean(-1) - log_mean_exp(t_marginal)


def f_divergence(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""E_p[T] - E_q[exp(T - 1)] <= I(X; Y) (Belghazi et al., Sec. 2.2, Eq. 8, "MINE-f"; NWJ).

    Lower bound, also of the expectation over finite samples (Nguyen et al.). Tight at
    T = 1 + log dP/dQ only; for one T never above `donsker_varadhan`. Shapes as there.
    """
    return t_joint.mean(-1) - torch.exp(t_marginal - 1.0).mean(-1)


def tuba(t_joint: Tensor, t_marginal: Tensor, log_baseline: Tensor) -> Tensor:
    r"""1 + E_p[T - log a(x)] - E_q[exp(T) / a(x)] <= I(X; Y) (I_TUBA of Poole et al.).

    Lower bound for every baseline a > 0 that does not see the row's own y or partners; tight at
    T = log dP/dQ + log a(x). `f_divergence` is the case a = e.

    Args:
        t_joint: shape (..., N).
        t_marginal: shape (..., m N).
        log_baseline: log a(x_i), shape (..., N).
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
    r"""`tuba` whose baseline on each half of the rows is the mean of exp T over the other half.

    The log of Donsker and Varadhan made linear around a number from other rows, so that the value
    is below I in expectation however few the rows are; tight where DV is. Shapes as in `tuba`.
    """
    return tuba(t_joint, t_marginal, other_half(t_joint, t_marginal))


def infonce(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""E[log exp T(x, y) / mean(exp T(x, y), exp T(x, y_1), ..., exp T(x, y_m))] <= I(X; Y).

    van den Oord et al.; I_NCE of Poole et al. Lower bound for each x beside its y and m
    partners. Ceiling: the value never exceeds log(1 + m), whatever I is. The optimal critic is
    log dP/dQ + C(x) for any function C. Shapes as in `tuba`.
    """
    return (t_joint - _log_mean_with_joint(t_joint, by_row(t_joint, t_marginal))).mean(-1)


def _log_mean_with_joint(t_joint: Tensor, rows: Tensor) -> Tensor:
    """log-mean-exp of a row's joint and m marginal values: (..., N), (..., m, N) -> (..., N)."""
    both = torch.logaddexp(t_joint, torch.logsumexp(rows, -2))
    return both - math.log(1 + rows.shape[-2])


def interpolated(t_joint: Tensor, t_marginal: Tensor, alpha: float = 0.01) -> Tensor:
    r"""I_alpha <= I(X; Y): between `f_divergence` (alpha 0) and `infonce` (1) (Poole et al.).

    1 + E[log(e^T(x, y) / a)] - E[e^T(x, y') / a'],   a = alpha mean_K e^T(x, .) + (1 - alpha) e,

    the mean over K = m values of the row: y and all but one partner in the first term (the average
    over who is left out), the m partners in the second; y' is one of them. Lower bound. Ceiling:
    1 + log(m / alpha), and log m at alpha = 1. Theirs with x and y exchanged and q = e.
    Near tight at T = 1 + log dP/dQ for small alpha. Shapes as in `tuba`.
    """
    joint, weights = interpolated_terms(t_joint, by_row(t_joint, t_marginal), alpha)
    return 1.0 + joint.mean(-1) - weights.mean((-2, -1))


def interpolated_terms(t_joint: Tensor, rows: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
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


# ------------------------------------------------- upper bounds, and neither


def smile(t_joint: Tensor, t_marginal: Tensor, tau: float = 5.0) -> Tensor:
    r"""E_p[T] - log E_q[clip(exp T, exp(-tau), exp(tau))] (I_SMILE of Song and Ermon).

    Neither bound: the clip takes away most of the partition term's variance and with it the
    guarantee. `donsker_varadhan` is the case of infinite tau. At T = log dP/dQ it equals I less
    the log of what the clip left of 1. Shapes as in `donsker_varadhan`.
    """
    return donsker_varadhan(t_joint, t_marginal.clamp(-tau, tau))


def mean_log_ratio(t_joint: Tensor, t_marginal: Tensor, offset: float = 0.0) -> Tensor:
    r"""E_p[T] - offset, for a T that estimates offset + log dP/dQ (Letizia et al.).

    Neither bound: exact at the optimal critic, and as far off as T is elsewhere. No partition
    term, so the variance on N samples is Var(log dP/dQ) / N, however large I is.

    Args:
        t_joint: shape (..., N).
        t_marginal: not looked at.
        offset: 0 for critics of `jensen_shannon` and `hellinger`, 1 for those of `f_divergence`.
    """
    return t_joint.mean(-1) - offset


def club(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""E_p[log q(y | x)] - E_q[log q(y | x)] >= I(X; Y) at q(y | x) = p(y | x) (Cheng et al.).

    Upper bound at the true conditional density; with a fitted one (their vCLUB) as long as it is
    closer to p(y | x) than to p(y). It exceeds I by KL(p(x) p(y) || p(x, y)): not tight.

    Args:
        t_joint: log q(y_i | x_i), shape (..., N).
        t_marginal: log q(y | x) on marginal pairs, shape (..., M).
    """
    return t_joint.mean(-1) - t_marginal.mean(-1)


def difference_of_entropies(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""E_p[log q(y | x)] - E_p[log r(y)] = I + KL(p(y) || r) - KL(p(y | x) || q).

    McAllester and Stratos' DoE: the difference of two cross-entropies, each an upper
    bound of its entropy, which their models are fitted to make small. Neither bound.

    Args:
        t_joint: log q(y_i | x_i), shape (..., N).
        t_marginal: log r(y) on samples of y, shape (..., M).
    """
    return t_joint.mean(-1) - t_marginal.mean(-1)


# ------------------------- what is ascended where it is no bound of I(X; Y)


def jensen_shannon(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""2 log 2 - E_p[softplus(-T)] - E_q[softplus(T)] <= 2 JS(P, Q) (Nowozin et al.).

    The log-likelihood of telling joint from marginal pairs with the logit T. Tight at
    T = log dP/dQ; never above 2 log 2, so it says little about a large I, and T all the more.
    Shapes as in `donsker_varadhan`.
    """
    return 2.0 * math.log(2.0) - softplus(-t_joint).mean(-1) - softplus(t_marginal).mean(-1)


def hellinger(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""2 - E_p[exp(-T / 2)] - E_q[exp(T / 2)] <= H^2(P, Q) = int (sqrt dP - sqrt dQ)^2.

    Nowozin et al. with T = -2 log(1 - v); one of f-DIME's variants (Letizia et al.). Tight at
    T = log dP/dQ. Shapes as in `donsker_varadhan`.
    """
    return 2.0 - torch.exp(-t_joint / 2.0).mean(-1) - torch.exp(t_marginal / 2.0).mean(-1)


def regularised(t_joint: Tensor, t_marginal: Tensor, alpha: float = 0.1, b: float = 0.0) -> Tensor:
    r"""DV - alpha (log E_q[exp T] - b)^2 <= I(X; Y) (Choi and Lee).

    The penalty pins the constant C that `donsker_varadhan` leaves free, so that T cannot drift.
    Tight at T = b + log dP/dQ. Shapes as in `donsker_varadhan`.
    """
    log_mean = log_mean_exp(t_marginal)
    return t_joint.mean(-1) - log_mean - alpha * (log_mean - b).square()


def likelihood(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    """E_p[log q(y | x)] <= -H(Y | X): what a conditional density is fitted by. Args: `club`'s."""
    return t_joint.mean(-1)


def likelihoods(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    """E_p[log q(y | x)] + E_p[log r(y)]. Args as `difference_of_entropies`'."""
    return t_joint.mean(-1) + t_marginal.mean(-1)


# ------------------------------------------------------------------ objectives


def normalised_surrogate(t_joint: Tensor, t_marginal: Tensor, log_normaliser: Tensor) -> Tensor:
    r"""mean T - mean exp(T - c): its gradient is E[grad T] - E[grad T e^T] / e^c.

    The log-normaliser c is a constant of the differentiation (it is detached here). The three
    objectives of the paper differ in c alone.

    Args:
        t_joint: shape (..., N).
        t_marginal: shape (..., M).
        log_normaliser: c, shape (...).
    """
    c = log_normaliser.detach().unsqueeze(-1)
    return t_joint.mean(-1) - torch.exp(t_marginal - c).mean(-1)


def ema_init(shape: tuple[int, ...], device: torch.device | str = "cpu") -> State:
    """An empty moving average: (log of the weighted sum, log of what weight is still missing)."""
    return torch.full(shape, -torch.inf, device=device), torch.zeros(shape, device=device)


def ema_update(state: State, log_mean: Tensor, rate: Tensor) -> tuple[Tensor, State]:
    r"""One step of the debiased exponential moving average of exp(log_mean), in log space.

    The average is (1 - rate) old + rate new from 0, divided by the weight 1 - (1 - rate)^t that it
    has gathered, so that it is the first batch's mean at the first step and a mean of positive
    terms ever after. Since the newest batch is part of it, no batch's weights exceed 1 / rate.

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
    # Not logaddexp, which on a CPU rounds the last few of many values otherwise than the first
    # ones: a cell's bits would depend on how many cells its stack has.
    apart = torch.sub(old, new).abs_().neg_()
    log_sum = torch.maximum(old, new).add_(apart.exp_().log1p_())
    log_missing = log_missing + log_keep
    log_weight = torch.log(-torch.expm1(log_missing))
    return log_sum - log_weight, (log_sum, log_missing)


Init = Callable[[int, torch.device], State]
Surrogate = Callable[[Tensor, Tensor, State, Tensor], tuple[Tensor, State]]
Descent = Callable[[Tensor, Tensor, State, Tensor], tuple[Tensor, Tensor, State]]


def stateless(k: int, device: torch.device) -> State:
    """The state of an objective that needs none."""
    return ()


@dataclass(frozen=True)
class Objective:
    """What training ascends. Pure: the state that it needs goes in and comes out.

    Attributes:
        surrogate: (t_joint (K, B), t_marginal (K, m B), state, rate (K,)) -> (one number a cell
            (K,), next state). Its gradient in the critic values is what is followed.
        closed_form: that gradient with its sign turned, written out, as `descent` gives it; where
            it is None autograd finds it.
        init: (K, device) -> state, a tuple of tensors whose leading axis is K.
    """

    surrogate: Surrogate
    closed_form: Descent | None = None
    init: Init = stateless

    def descent(
        self, t_joint: Tensor, t_marginal: Tensor, state: State, rate: Tensor
    ) -> tuple[Tensor, Tensor, State]:
        """The gradient of minus the surrogate in its critic values, and the next state."""
        return (self.closed_form or self.by_autograd)(t_joint, t_marginal, state, rate)

    def by_autograd(
        self, t_joint: Tensor, t_marginal: Tensor, state: State, rate: Tensor
    ) -> tuple[Tensor, Tensor, State]:
        """`descent`, for any surrogate: a tape over the critic values alone, no parameters."""
        joint, marginal = (t.detach().requires_grad_() for t in (t_joint, t_marginal))
        with torch.enable_grad():
            surrogate, state = self.surrogate(joint, marginal, state, rate)
            loss = -surrogate.sum()
        g_joint, g_marginal = torch.autograd.grad(loss, (joint, marginal), materialize_grads=True)
        return g_joint, g_marginal, tuple(s.detach() for s in state)


def ascend(
    bound: Bound, minus_gradient: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
) -> Objective:
    """The objective that is a bound itself, with the gradient of minus it where that is simple."""

    def surrogate(
        t_joint: Tensor, t_marginal: Tensor, state: State, rate: Tensor
    ) -> tuple[Tensor, State]:
        return bound(t_joint, t_marginal), state

    if minus_gradient is None:
        return Objective(surrogate)
    gradient = minus_gradient

    def closed_form(
        t_joint: Tensor, t_marginal: Tensor, state: State, rate: Tensor
    ) -> tuple[Tensor, Tensor, State]:
        return *gradient(t_joint, t_marginal), state

    return Objective(surrogate, closed_form)


def normalised(
    log_normaliser: Callable[[Tensor, State, Tensor], tuple[Tensor, State]], init: Init = stateless
) -> Objective:
    """`normalised_surrogate` with a log-normaliser c of its own.

    Args:
        log_normaliser: (log of the batch's mean of exp T (K,), state, rate (K,)) ->
            (c (K,), next state).
        init: the state to start from.
    """

    def surrogate(
        t_joint: Tensor, t_marginal: Tensor, state: State, rate: Tensor
    ) -> tuple[Tensor, State]:
        c, state = log_normaliser(log_mean_exp(t_marginal.detach()), state, rate)
        return normalised_surrogate(t_joint, t_marginal, c), state

    def closed_form(
        t_joint: Tensor, t_marginal: Tensor, state: State, rate: Tensor
    ) -> tuple[Tensor, Tensor, State]:
        n, m = t_joint.shape[-1], t_marginal.shape[-1]
        # exp(t - c) / m, by way of the log-mean-exp's own exponentials.
        top = t_marginal.amax(-1, keepdim=True)
        exponentials = torch.sub(t_marginal, top).exp_()
        log_scale = top.squeeze(-1) - math.log(m)
        log_mean = exponentials.sum(-1).log_().add_(log_scale)
        c, state = log_normaliser(log_mean, state, rate)
        g_marginal = exponentials.mul_(log_scale.sub_(c).exp_().unsqueeze(-1))
        return torch.full_like(t_joint, -1.0 / n), g_marginal, state

    return Objective(surrogate, closed_form, init)


DV = normalised(lambda log_mean, state, rate: (log_mean, state))
"""Plain minibatch gradient of DV: c is the batch's log-mean-exp, which biases it (Sec. 3.2)."""

MINE_F = normalised(lambda log_mean, state, rate: (torch.ones_like(log_mean), state))
"""The f-form is its own surrogate (c = 1): an unbiased gradient of a looser bound."""

MINE = normalised(
    lambda log_mean, state, rate: ema_update(state, log_mean, rate),
    lambda k, device: ema_init((k,), device),
)
"""The gradient of Eq. 12: c is the log of a moving average of E_B[exp T] (Sec. 3.2).

It is that of `tuba` too, with this average for the baseline (Poole et al.)."""


def remine(alpha: float = 0.1, b: float = 0.0) -> Objective:
    """`regularised`, whose gradient scales DV's softmax by 1 + 2 alpha (log-mean-exp - b)."""

    def minus_gradient(t_joint: Tensor, t_marginal: Tensor) -> tuple[Tensor, Tensor]:
        pull = 1.0 + 2.0 * alpha * (log_mean_exp(t_marginal) - b)
        g_joint = torch.full_like(t_joint, -1.0 / t_joint.shape[-1])
        return g_joint, torch.softmax(t_marginal, -1) * pull.unsqueeze(-1)

    def bound(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
        return regularised(t_joint, t_marginal, alpha, b)

    return ascend(bound, minus_gradient)


def interpolation(alpha: float = 0.01) -> Objective:
    """`interpolated` at this alpha."""
    return ascend(lambda t_joint, t_marginal: interpolated(t_joint, t_marginal, alpha))


def _minus_js(t_joint: Tensor, t_marginal: Tensor) -> tuple[Tensor, Tensor]:
    n, m = t_joint.shape[-1], t_marginal.shape[-1]
    return torch.sigmoid(-t_joint).mul_(-1.0 / n), torch.sigmoid(t_marginal).mul_(1.0 / m)


def _minus_hellinger(t_joint: Tensor, t_marginal: Tensor) -> tuple[Tensor, Tensor]:
    n, m = t_joint.shape[-1], t_marginal.shape[-1]
    return torch.exp(-t_joint / 2.0).mul_(-0.5 / n), torch.exp(t_marginal / 2.0).mul_(0.5 / m)


def _minus_infonce(t_joint: Tensor, t_marginal: Tensor) -> tuple[Tensor, Tensor]:
    rows, n = by_row(t_joint, t_marginal), t_joint.shape[-1]
    log_sum = torch.logaddexp(t_joint, torch.logsumexp(rows, -2))
    g_joint = torch.expm1(t_joint - log_sum).mul_(1.0 / n)
    return g_joint, torch.exp(rows - log_sum.unsqueeze(-2)).mul_(1.0 / n).flatten(-2)


def _minus_likelihood(t_joint: Tensor, t_marginal: Tensor) -> tuple[Tensor, Tensor]:
    return torch.full_like(t_joint, -1.0 / t_joint.shape[-1]), torch.zeros_like(t_marginal)


def _minus_likelihoods(t_joint: Tensor, t_marginal: Tensor) -> tuple[Tensor, Tensor]:
    n, m = t_joint.shape[-1], t_marginal.shape[-1]
    return torch.full_like(t_joint, -1.0 / n), torch.full_like(t_marginal, -1.0 / m)


JS = ascend(jensen_shannon, _minus_js)
HELLINGER = ascend(hellinger, _minus_hellinger)
INFONCE = ascend(infonce, _minus_infonce)
LIKELIHOOD = ascend(likelihood, _minus_likelihood)
LIKELIHOODS = ascend(likelihoods, _minus_likelihoods)
