"""What training ascends: an objective, a pure function of critic values and of its own state.

`ascend` makes the objective of a bound. Surrogates that are no bounds stand in
`mine.method.surrogate`. The notation is that of `mine.method.bound`; K is the number of stacked
critics, B the rows of a batch, m the marginal partners of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mine.method.bound import Bound

State = tuple[Tensor, ...]
Init = Callable[[int, torch.device], State]
Surrogate = Callable[[Tensor, Tensor, State, Tensor], tuple[Tensor, State]]
Descent = Callable[[Tensor, Tensor, State, Tensor], tuple[Tensor, Tensor, State]]


def stateless(k: int, device: torch.device) -> State:
    """The state of an objective that needs none."""
    return ()


@dataclass(frozen=True)
class Objective:
    """What training ascends. It is pure: its state goes in and comes out.

    Attributes:
        surrogate: (t_joint (K, B), t_marginal (K, m B), state, rate (K,)) -> (one number per cell
            (K,), next state). Training follows its gradient in the critic values.
        closed_form: minus that gradient, written out, as `descent` gives it. Where it is None,
            autograd finds it.
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
        """`descent` of any surrogate. Its tape holds critic values alone, no parameters."""
        joint, marginal = (t.detach().requires_grad_() for t in (t_joint, t_marginal))
        with torch.enable_grad():
            surrogate, state = self.surrogate(joint, marginal, state, rate)
            loss = -surrogate.sum()
        g_joint, g_marginal = torch.autograd.grad(loss, (joint, marginal), materialize_grads=True)
        return g_joint, g_marginal, tuple(s.detach() for s in state)


def ascend(
    bound: Bound, minus_gradient: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
) -> Objective:
    """The objective that is a bound.

    Args:
        bound: what is ascended.
        minus_gradient: (t_joint, t_marginal) -> the gradient of minus the bound in both, where
            it is simple to write out.
    """

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
