"""Critics that are a user's own: any torch.nn.Module that maps (x, y) to one number a row.

K modules of one architecture run as one batched program by torch.func.vmap; autograd gives their
gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mine.critics.flat import flat_views
from mine.critics.protocol import Critic

if TYPE_CHECKING:
    from mine.data.pairs import Pairing


@dataclass(frozen=True)
class Modules:
    """Critics from a function (dx, dy) -> torch.nn.Module whose forward maps (x, y) to (B,)."""

    make: Callable[[int, int], nn.Module]

    def __post_init__(self) -> None:
        if isinstance(self.make, nn.Module) or not callable(self.make):
            raise ValueError(
                "a critic must be a function (dx, dy) -> torch.nn.Module, such as the module's "
                f"class, got {type(self.make).__name__}: every cell makes a module anew"
            )

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> Critic:
        """One module for each generator."""
        modules = []
        for g in generators:
            # A module draws its initial parameters from torch's global generator, whose state is
            # put back afterwards.
            with torch.random.fork_rng(devices=[]):
                torch.random.set_rng_state(g.get_state())
                modules.append(self.make(dx, dy))
        return stack_modules(modules, device)


def stack_modules(modules: Sequence[nn.Module], device: torch.device | str = "cpu") -> Critic:
    """Stacks modules of one architecture, each mapping x (B, dx), y (B, dy) to (B,) or (B, 1).

    Raises:
        ValueError: there are none, or their architectures differ.
    """
    return StackedModules(modules, device)


class StackedModules:
    """K modules as one critic: see `mine.critics.protocol.Critic`.

    Attributes:
        buffers: the modules' buffers by name, each with a leading axis K.
    """

    def __init__(self, modules: Sequence[nn.Module], device: torch.device | str) -> None:
        if not modules:
            raise ValueError("modules must hold at least one module, got none")
        self.k = len(modules)
        parameters = _stacked([dict(m.named_parameters()) for m in modules])
        buffers = _stacked([dict(m.named_buffers()) for m in modules])
        shapes = [tuple(p.shape) for p in parameters.values()]
        self.theta, self.views = flat_views(shapes, device)
        self.grad, self.grads = flat_views(shapes, device)
        for view, p in zip(self.views, parameters.values(), strict=True):
            view.copy_(p.detach())
        self._names = list(parameters)
        self.buffers = {name: b.to(device) for name, b in buffers.items()}
        self._module = modules[0].to(device)
        self._last: tuple[list[Tensor], Tensor, Tensor] | None = None

    def values(
        self, x: Tensor, y: Tensor, pairing: Pairing, keep: bool = True
    ) -> tuple[Tensor, Tensor]:
        leaves = [v.detach().requires_grad_() for v in self.views]
        with torch.set_grad_enabled(keep):
            t_joint, t_marginal = self._mapped(leaves, x, y, pairing)
        self._last = (leaves, t_joint, t_marginal) if keep else None
        return t_joint.detach(), t_marginal.detach()

    def differentiable(self, x: Tensor, y: Tensor, pairing: Pairing) -> tuple[Tensor, Tensor]:
        return self._mapped([v.detach() for v in self.views], x, y, pairing)

    def _mapped(
        self, parameters: Sequence[Tensor], x: Tensor, y: Tensor, pairing: Pairing
    ) -> tuple[Tensor, Tensor]:
        """T of all cells' modules, with a graph in all that has one."""
        batch = x.shape[1]
        xs = torch.cat([x] * (1 + pairing.m), 1)
        ys = torch.cat(pairing.pair(pairing.extend(y), batch), 1)
        named = dict(zip(self._names, parameters, strict=True))
        mapped = torch.vmap(self._call, randomness="different")
        t = mapped(named, self.buffers, xs, ys).reshape(self.k, -1)
        if t.shape[1] != xs.shape[1]:
            raise ValueError(
                f"a critic must give one number a row, got {t.shape[1]} for {xs.shape[1]} rows"
            )
        return t[:, :batch], t[:, batch:]

    def _call(
        self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor, y: Tensor
    ) -> Any:
        """One cell's module on x (rows, dx) and y (rows, dy)."""
        return functional_call(self._module, (parameters, buffers), (x, y))

    def backward(self, g_joint: Tensor, g_marginal: Tensor) -> None:
        if self._last is None:
            raise RuntimeError("backward needs the values of a batch first, got none: call values")
        leaves, t_joint, t_marginal = self._last
        found = torch.autograd.grad(
            [t_joint, t_marginal], leaves, [g_joint, g_marginal], allow_unused=True
        )
        for grad, g in zip(self.grads, found, strict=True):
            grad.zero_() if g is None else grad.copy_(g)
        self._last = None

    def leave_out(self, cells: Sequence[bool]) -> None:
        """Nothing: all cells go through each product together."""


def _stacked(of_modules: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors by name, each with a leading axis K.

    (torch's `stack_module_state` refuses modules whose class a function makes anew at each call.)
    """
    shapes = [{name: v.shape for name, v in of.items()} for of in of_modules]
    if any(of != shapes[0] for of in shapes):
        raise ValueError(
            f"expected modules of one architecture, got {shapes[0]} beside others: make them alike"
        )
    return {name: torch.stack([of[name].detach() for of in of_modules]) for name in shapes[0]}
