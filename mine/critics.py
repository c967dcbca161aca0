r"""Statistics networks T(x, y), stacked: every parameter has a leading axis K, one slice a cell.

`MLP` is the paper's critic, a perceptron on the concatenated pair. Its first layer is linear in x
and in y, so the halves W_x x and W_y y are computed once for a batch and re-paired for the
marginal samples. Forward and backward are written out on buffers that are allocated once: on a CPU
the autograd tape spends up to a third of a small network's step on memory.

Any `torch.nn.Module` that maps (x, y) to one number a row can be stacked too (`stack_modules`).

Both give what training asks of a critic (`Critic`): values on joint and marginal pairs, and the
gradient of any function of those values, written into one flat vector beside the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

if TYPE_CHECKING:
    from mine.pairs import Pairing

_aten = torch.ops.aten


class Critic(Protocol):
    """K stacked critics.

    Attributes:
        k: the number of stacked critics.
        theta: all parameters, flat; ``views`` are its slices, each with a leading axis K.
        grad: where `backward` writes the gradient, laid out like ``theta``.
    """

    k: int
    theta: Tensor
    grad: Tensor
    views: list[Tensor]

    def values(self, x: Tensor, y: Tensor, pairing: Pairing) -> tuple[Tensor, Tensor]:
        """T on joint pairs (K, B) and on marginal pairs (K, m B), for x (K, B, dx), y (K, ., dy).

        The values are views of a buffer that the next call overwrites.
        """
        ...

    def backward(self, g_joint: Tensor, g_marginal: Tensor) -> None:
        """Writes into ``grad`` the gradient of what has these gradients in the last `values`."""
        ...


def flat_views(
    shapes: Sequence[Sequence[int]], device: torch.device | str = "cpu"
) -> tuple[Tensor, list[Tensor]]:
    """One flat vector and its slices of these shapes, each contiguous."""
    sizes = [math.prod(shape) for shape in shapes]
    flat = torch.zeros(sum(sizes), device=device)
    return flat, [v.view(*s) for v, s in zip(flat.split(sizes), shapes, strict=True)]


# ---------------------------------------------------------------- activations


class _Elu:
    """ELU in place: its derivative is a function of its value."""

    keeps_input = False

    @staticmethod
    def forward(z: Tensor, out: Tensor, scratch: Tensor) -> None:
        # max(z, exp(min(z, 0)) - 1): the library's ELU calls expm1, which costs twice as much.
        torch.clamp_max(z, 0.0, out=scratch)
        torch.maximum(z, scratch.exp_().sub_(1.0), out=z)

    @staticmethod
    def backward(g: Tensor, z: Tensor, a: Tensor) -> None:
        _aten.elu_backward.grad_input(g, 1.0, 1.0, 1.0, True, a, grad_input=g)


class _Relu:
    """ReLU in place."""

    keeps_input = False

    @staticmethod
    def forward(z: Tensor, out: Tensor, scratch: Tensor) -> None:
        z.relu_()

    @staticmethod
    def backward(g: Tensor, z: Tensor, a: Tensor) -> None:
        _aten.threshold_backward.grad_input(g, a, 0, grad_input=g)


class _Silu:
    """SiLU, z sigmoid(z): its derivative needs z, so z is kept."""

    keeps_input = True

    @staticmethod
    def forward(z: Tensor, out: Tensor, scratch: Tensor) -> None:
        _aten.silu.out(z, out=out)

    @staticmethod
    def backward(g: Tensor, z: Tensor, a: Tensor) -> None:
        _aten.silu_backward.grad_input(g, z, grad_input=g)


ACTIVATIONS: dict[str, Any] = {"elu": _Elu, "relu": _Relu, "silu": _Silu}
INITS = ("fan_in", "normal")


# ------------------------------------------------------------------------ MLP


@dataclass(frozen=True)
class MLP:
    """A perceptron on the concatenated pair; the fields are the config's keys.

    Attributes:
        hidden: widths of the hidden layers.
        activation: "elu" (as in the public code), "relu" or "silu".
        init: "fan_in", uniform within 1 / sqrt(inputs) for weights and biases (torch's default);
            or "normal", weights N(0, .02) and biases 0 (the public notes': slow to start).
    """

    hidden: tuple[int, ...] = (128, 128)
    activation: str = "elu"
    init: str = "fan_in"

    def __post_init__(self) -> None:
        widths = (self.hidden,) if isinstance(self.hidden, int) else tuple(self.hidden)
        object.__setattr__(self, "hidden", widths)
        if not widths or any(type(h) is not int or h < 1 for h in widths):
            raise ValueError(
                f"hidden must be widths of one or more layers, as (128, 128), got {self.hidden}"
            )
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {sorted(ACTIVATIONS)}, got {self.activation!r}"
            )
        if self.init not in INITS:
            raise ValueError(f"init must be one of {list(INITS)}, got {self.init!r}")

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> StackedMLP:
        """One critic per generator. The generators are the CPU's, so that the start is the same
        on every device and does not depend on the neighbours."""
        return StackedMLP(self, dx, dy, generators, device)


class StackedMLP:
    """K perceptrons in one: see `MLP` and `Critic`.

    Parameters, in order: W_x (K, dx, H), W_y (K, dy, H), b (K, 1, H); W, b of each further hidden
    layer; w (K, H, 1) and b (K, 1, 1) of the output.
    """

    def __init__(
        self,
        config: MLP,
        dx: int,
        dy: int,
        generators: Sequence[torch.Generator],
        device: torch.device | str,
    ) -> None:
        self.k = len(generators)
        self.activation = ACTIVATIONS[config.activation]
        self.hidden = config.hidden
        parameters = _parameters(dx, dy, config.hidden)
        shapes = [(self.k, *p.shape) for p in parameters]
        self.theta, self.views = flat_views(shapes, device)
        self.grad, self.grads = flat_views(shapes, device)
        for k, generator in enumerate(generators):
            for view, parameter in zip(self.views, parameters, strict=True):
                view[k] = parameter.initial(config.init, generator).to(device)
        self._buffers: dict[tuple[int, int, int], _Buffers] = {}
        self._last: tuple[Tensor, Tensor, Pairing, _Buffers] | None = None

    def values(self, x: Tensor, y: Tensor, pairing: Pairing) -> tuple[Tensor, Tensor]:
        batch, m, act = x.shape[1], pairing.m, self.activation
        buf = self._buffer(batch, y.shape[1], m)
        w_x, w_y, b = self.views[:3]
        torch.baddbmm(b, x, w_x, out=buf.hx)
        torch.bmm(y, w_y, out=buf.hy)
        first = buf.z[0].unflatten(1, (1 + m, batch))
        torch.add(buf.hx, buf.hy[:, :batch], out=first[:, 0])
        pairing.add(buf.hx, buf.hy, first[:, 1:])
        act.forward(buf.z[0], buf.a[0], buf.g[0])
        for i in range(1, len(self.hidden)):
            w, b = self.views[2 * i + 1 : 2 * i + 3]
            torch.bmm(buf.a[i - 1], w, out=buf.z[i]).add_(b)
            act.forward(buf.z[i], buf.a[i], buf.g[i])
        torch.bmm(buf.a[-1], self.views[-2], out=buf.t).add_(self.views[-1])
        self._last = (x, y, pairing, buf)
        return buf.t[:, :batch, 0], buf.t[:, batch:, 0]

    def backward(self, g_joint: Tensor, g_marginal: Tensor) -> None:
        if self._last is None:
            raise RuntimeError("backward needs the values of a batch first, got none: call values")
        x, y, pairing, buf = self._last
        batch, act = x.shape[1], self.activation
        buf.gt[:, :batch, 0] = g_joint
        buf.gt[:, batch:, 0] = g_marginal
        torch.bmm(buf.gt.mT, buf.a[-1], out=self.grads[-2].mT)
        torch.sum(buf.gt, 1, keepdim=True, out=self.grads[-1])
        torch.mul(buf.gt, self.views[-2].mT, out=buf.g[-1])
        for i in range(len(self.hidden) - 1, 0, -1):
            g = buf.g[i]
            act.backward(g, buf.z[i], buf.a[i])
            torch.bmm(buf.a[i - 1].mT, g, out=self.grads[2 * i + 1])
            torch.bmm(buf.ones, g, out=self.grads[2 * i + 2])
            torch.bmm(g, self.views[2 * i + 1].mT, out=buf.g[i - 1])
        act.backward(buf.g[0], buf.z[0], buf.a[0])
        g = buf.g[0].unflatten(1, (1 + pairing.m, batch))
        torch.add(g[:, 0], g[:, 1], out=buf.hx)  # hx and hy have served: reused for gradients
        for j in range(2, 1 + pairing.m):
            buf.hx += g[:, j]
        buf.hy[:, :batch] = g[:, 0]
        buf.hy[:, batch:] = 0.0
        pairing.add_back(g[:, 1:], buf.hy)
        torch.bmm(x.mT, buf.hx, out=self.grads[0])
        torch.bmm(y.mT, buf.hy, out=self.grads[1])
        torch.bmm(buf.ones[:, :, :batch], buf.hx, out=self.grads[2])

    def _buffer(self, batch: int, rows_y: int, m: int) -> _Buffers:
        key = (batch, rows_y, m)
        if key not in self._buffers:
            self._buffers[key] = _Buffers(self, batch, rows_y, m)
        return self._buffers[key]


class _Buffers:
    """Activations and their gradients for one batch shape, allocated once."""

    def __init__(self, critic: StackedMLP, batch: int, rows_y: int, m: int) -> None:
        k, hidden, rows = critic.k, critic.hidden, (1 + m) * batch

        def empty(*shape: int) -> Tensor:
            return torch.empty(shape, device=critic.theta.device)

        self.hx, self.hy = empty(k, batch, hidden[0]), empty(k, rows_y, hidden[0])
        self.z = [empty(k, rows, h) for h in hidden]
        keeps = critic.activation.keeps_input
        self.a = [empty(k, rows, h) for h in hidden] if keeps else self.z
        self.g = _shared([(k, rows, h) for h in hidden], critic.theta.device)
        self.t, self.gt = empty(k, rows, 1), empty(k, rows, 1)
        self.ones = torch.ones(k, 1, rows, device=critic.theta.device)


def _shared(shapes: list[tuple[int, int, int]], device: torch.device) -> list[Tensor]:
    """Gradients of layer i and i - 1 live at one time: two memories serve them all."""
    size = max(math.prod(s) for s in shapes)
    memory = [torch.empty(size, device=device) for _ in range(min(2, len(shapes)))]
    return [memory[i % 2][: math.prod(s)].view(s) for i, s in enumerate(shapes)]


@dataclass(frozen=True)
class _Parameter:
    """One parameter of one critic: its shape, the inputs of its layer, whether it is a bias."""

    shape: tuple[int, int]
    inputs: int
    bias: bool

    def initial(self, init: str, generator: torch.Generator) -> Tensor:
        if init == "normal":
            zeros = torch.zeros(self.shape)
            return zeros if self.bias else zeros.normal_(0.0, 0.02, generator=generator)
        return (torch.rand(self.shape, generator=generator) * 2 - 1) / math.sqrt(self.inputs)


def _parameters(dx: int, dy: int, hidden: tuple[int, ...]) -> list[_Parameter]:
    first = [(dx, False), (dy, False), (1, True)]
    found = [_Parameter((rows, hidden[0]), dx + dy, bias) for rows, bias in first]
    for inputs, outputs in pairwise((*hidden, 1)):
        found += [
            _Parameter((inputs, outputs), inputs, False),
            _Parameter((1, outputs), inputs, True),
        ]
    return found


# ------------------------------------------------------------- user's modules


def stack_modules(modules: Sequence[nn.Module], device: torch.device | str = "cpu") -> Critic:
    """Stacks modules of one architecture, each mapping x (B, dx), y (B, dy) to (B,) or (B, 1)."""
    return _StackedModules(modules, device)


class _StackedModules:
    """K modules as one batched program by torch.func; the gradient comes from autograd."""

    def __init__(self, modules: Sequence[nn.Module], device: torch.device | str) -> None:
        if not modules:
            raise ValueError("modules must hold at least one module, got none")
        self.k = len(modules)
        parameters, buffers = stack_module_state(list(modules))
        shapes = [tuple(p.shape) for p in parameters.values()]
        self.theta, self.views = flat_views(shapes, device)
        self.grad, self.grads = flat_views(shapes, device)
        for view, p in zip(self.views, parameters.values(), strict=True):
            view.copy_(p.detach())
        self._names = list(parameters)
        self._buffers = {name: b.to(device) for name, b in buffers.items()}
        self._module = modules[0].to(device)
        self._last: tuple[list[Tensor], Tensor, Tensor] | None = None

    def values(self, x: Tensor, y: Tensor, pairing: Pairing) -> tuple[Tensor, Tensor]:
        batch = x.shape[1]
        partners = pairing.take(y, batch).flatten(1, 2)
        xs = torch.cat([x] * (1 + pairing.m), 1)
        ys = torch.cat([y[:, :batch], partners], 1)
        leaves = [v.detach().requires_grad_() for v in self.views]

        def one(
            parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor, y: Tensor
        ) -> Any:
            return functional_call(self._module, (parameters, buffers), (x, y))

        with torch.enable_grad():
            named = dict(zip(self._names, leaves, strict=True))
            mapped = torch.vmap(one, randomness="different")
            t = mapped(named, self._buffers, xs, ys).reshape(self.k, -1)
            if t.shape[1] != xs.shape[1]:
                raise ValueError(
                    f"a critic must give one number a row, got {t.shape[1]} for {xs.shape[1]} rows"
                )
            t_joint, t_marginal = t[:, :batch], t[:, batch:]
        self._last = (leaves, t_joint, t_marginal)
        return t_joint.detach(), t_marginal.detach()

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
