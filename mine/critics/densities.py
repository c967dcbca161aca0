r"""Critics that are log-densities, as CLUB and the difference of entropies (DoE) need them.

A mixture density network (Bishop, 1994) maps x to a mixture of C Gaussians with diagonal
covariances,

    q(y | x) = sum_c w_c(x) N(y; mu_c(x), diag sigma_c(x)^2);

one component is the q(y | x) of CLUB (Cheng et al., 2020, https://arxiv.org/abs/2006.12013) and of
the Gaussian DoE (McAllester and Stratos, 2020, https://arxiv.org/abs/1811.04251).

The critic's value on a joint pair is log q(y | x). On a marginal pair it is log q(y | x) again, as
CLUB needs it, or log r(y), as DoE needs it. Here r is a mixture with C components too, whose
parameters are free; the y of marginal pairs are samples of p(y), whichever x they are paired with.

For K cells, B rows of x and one partner each, the network maps x (K, B, dx) to parameters
(K, B, C, 1 + 2 dy), and `log_mixture` maps these and y (K, B, dy) to values (K, B). Parameters are
stacked like those of `mine.critics.mlp`; gradients come from autograd.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from mine.critics.flat import fill_cells, flat_views
from mine.critics.mlp import MLP

if TYPE_CHECKING:
    from mine.data.pairs import Pairing

LOG_SCALE = 7.0  # bound of |log sigma|, approached smoothly: where y = f(x), sigma would go to 0


@dataclass(frozen=True)
class ConditionalDensity:
    """A mixture density network; the fields are the config's keys.

    Attributes:
        hidden: widths of the hidden layers.
        activation: "elu", "relu" or "silu".
        components: Gaussians in the mixture.
        marginal: "conditional", log q(y | x) on marginal pairs; or "own", log r(y).
    """

    hidden: tuple[int, ...] = (128, 128)
    activation: str = "elu"
    components: int = 1
    marginal: str = "conditional"

    def __post_init__(self) -> None:
        MLP(self.hidden, self.activation)  # the same rules
        if type(self.components) is not int or self.components < 1:
            raise ValueError(
                f"components must be a whole number >= 1, got {self.components!r}: give one, such "
                "as 1"
            )
        if self.marginal not in ("conditional", "own"):
            raise ValueError(
                f"marginal must be one of ['conditional', 'own'], got {self.marginal!r}"
            )

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> StackedDensities:
        """One critic for each generator; see `MLP.stack`."""
        return StackedDensities(self, dx, dy, generators, device)


def shaped_like(
    components: int, marginal: str = "conditional"
) -> Callable[[Any], ConditionalDensity]:
    """A function from an `MLP` to the density whose network has the same hidden layers."""

    def convert(critic: Any) -> ConditionalDensity:
        if not isinstance(critic, MLP):
            raise ValueError(
                f"a method that needs q(y | x) takes the layers of an MLP, got {critic!r}: leave "
                "the critic out, or choose a method that needs a T(x, y)"
            )
        return ConditionalDensity(critic.hidden, critic.activation, components, marginal)

    return convert


def log_mixture(parameters: Tensor, y: Tensor) -> Tensor:
    """The log-density of a mixture of C diagonal Gaussians.

    Args:
        parameters: (..., C, 1 + 2 dy): each component's logit, means and scales, as the network
            returns them; log sigma is LOG_SCALE tanh(scale / LOG_SCALE).
        y: (..., dy).

    Returns:
        log q(y), (...).
    """
    dy = y.shape[-1]
    logits, means, scales = parameters.split([1, dy, dy], -1)
    log_sigma = LOG_SCALE * torch.tanh(scales / LOG_SCALE)
    standard = (y.unsqueeze(-2) - means) * torch.exp(-log_sigma)
    logs = -0.5 * standard.square() - log_sigma - 0.5 * math.log(2.0 * math.pi)
    return torch.logsumexp(torch.log_softmax(logits.squeeze(-1), -1) + logs.sum(-1), -1)


def _initial(shape: Sequence[int], inputs: int, generator: torch.Generator) -> Tensor:
    """Uniform within 1 / sqrt(inputs)."""
    return (torch.rand(tuple(shape), generator=generator) * 2 - 1) / math.sqrt(inputs)


class StackedDensities:
    """K mixture density networks as one critic: see `ConditionalDensity` and `Critic`.

    Parameters, in order: W (K, inputs, outputs) and b (K, 1, outputs) of each layer, and those of
    r, (K, 1, C (1 + 2 dy)), where there is one.
    """

    def __init__(
        self,
        config: ConditionalDensity,
        dx: int,
        dy: int,
        generators: Sequence[torch.Generator],
        device: torch.device | str,
    ) -> None:
        self.k, self.components = len(generators), config.components
        self.activation = getattr(functional, config.activation)
        self.own = config.marginal == "own"
        outputs = config.components * (1 + 2 * dy)
        layers = list(pairwise((dx, *config.hidden, outputs)))
        inputs = [i for i, _ in layers for _ in "Wb"] + [1] * self.own
        shapes = [s for i, o in layers for s in ((self.k, i, o), (self.k, 1, o))]
        shapes += [(self.k, 1, outputs)] * self.own
        self.theta, self.views = flat_views(shapes, device)
        self.grad, self.grads = flat_views(shapes, device)
        sizes = list(zip((shape[1:] for shape in shapes), inputs, strict=True))
        of_cells = ([_initial(*size, generator) for size in sizes] for generator in generators)
        fill_cells(self.theta, self.views, of_cells)
        self._last: tuple[list[Tensor], Tensor, Tensor] | None = None

    def values(
        self, x: Tensor, y: Tensor, pairing: Pairing, keep: bool = True
    ) -> tuple[Tensor, Tensor]:
        leaves = [v.detach().requires_grad_() for v in self.views]
        with torch.set_grad_enabled(keep):
            t_joint, t_marginal = self._log_densities(leaves, x, y, pairing)
        self._last = (leaves, t_joint, t_marginal) if keep else None
        return t_joint.detach(), t_marginal.detach()

    def differentiable(self, x: Tensor, y: Tensor, pairing: Pairing) -> tuple[Tensor, Tensor]:
        return self._log_densities([v.detach() for v in self.views], x, y, pairing)

    def _log_densities(
        self, parameters: list[Tensor], x: Tensor, y: Tensor, pairing: Pairing
    ) -> tuple[Tensor, Tensor]:
        """The critic's values, with a graph in all that has one."""
        joint, *others = pairing.pair(pairing.extend(y), x.shape[1])
        partners = torch.stack(others, 1)  # (K, m, B, dy)
        conditional = self._split(self._network(parameters, x))  # (K, B, C, 1 + 2 dy)
        t_joint = log_mixture(conditional, joint)
        marginal = self._split(parameters[-1]) if self.own else conditional
        return t_joint, log_mixture(marginal.unsqueeze(1), partners).flatten(1)

    def backward(self, g_joint: Tensor, g_marginal: Tensor) -> None:
        if self._last is None:
            raise RuntimeError("backward needs the values of a batch first, got none: call values")
        leaves, t_joint, t_marginal = self._last
        found = torch.autograd.grad([t_joint, t_marginal], leaves, [g_joint, g_marginal])
        for grad, g in zip(self.grads, found, strict=True):
            grad.copy_(g)
        self._last = None

    def leave_out(self, cells: Sequence[bool]) -> None:
        """Nothing: all cells go through each product together."""

    def _network(self, leaves: list[Tensor], x: Tensor) -> Tensor:
        """The parameters of q(y | x): (K, B, dx) -> (K, B, C (1 + 2 dy))."""
        layers = leaves[: len(leaves) - self.own]
        h = x
        for i in range(0, len(layers), 2):
            h = torch.baddbmm(layers[i + 1], self.activation(h) if i else h, layers[i])
        return h

    def _split(self, parameters: Tensor) -> Tensor:
        """By component: (..., C (1 + 2 dy)) -> (..., C, 1 + 2 dy)."""
        return parameters.unflatten(-1, (self.components, -1))
