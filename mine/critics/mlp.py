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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

if TYPE_CHECKING:
    from mine.data.pairs import Pairing

_aten = torch.ops.aten
# As tensors: Python's numbers are made into tensors at each use, which costs as much as the use.
_LOG2_E, _ONE = torch.tensor(math.log2(math.e)), torch.tensor(1.0)
GROUP_BYTES = 3_000_000  # of the activations of cells that go through a step together on a CPU
LANES = 32  # 32-bit numbers in two of a CPU's widest registers: kernels work on two at a time
NARROW = 48  # columns of x and y together: up to so many, the pairs themselves are multiplied


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

    def values(
        self, x: Tensor, y: Tensor, pairing: Pairing, keep: bool = True
    ) -> tuple[Tensor, Tensor]:
        """T on joint pairs (K, B) and on marginal pairs (K, m B), for x (K, B, dx), y (K, ., dy).

        The values are views of a buffer that the next call overwrites. Where `keep` is false no
        `backward` may follow, and what it would need takes no memory.
        """
        ...

    def backward(self, g_joint: Tensor, g_marginal: Tensor) -> None:
        """Writes into ``grad`` the gradient of what has these gradients in the last `values`."""
        ...


class CriticConfig(Protocol):
    """What makes critics: `MLP`, or `Modules` for a network of one's own."""

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> Critic: ...


def flat_views(
    shapes: Sequence[Sequence[int]], device: torch.device | str = "cpu"
) -> tuple[Tensor, list[Tensor]]:
    """One flat vector and its slices of these shapes, each contiguous; see `padded`."""
    sizes = [math.prod(shape) for shape in shapes]
    n = sum(sizes)
    flat = _registers(n, device)[:n]
    return flat, [v.view(*s) for v, s in zip(flat.split(sizes), shapes, strict=True)]


def _whole(n: int) -> int:
    """So many numbers fill whole registers, n of them at least."""
    return -(-n // LANES) * LANES


def _registers(n: int, device: torch.device | str) -> Tensor:
    """Memory for n numbers and the zeros that fill its last registers.

    On a CPU a kernel may round what fills no register otherwise than the rest. Filled up, a cell's
    numbers are the same bits wherever it stands in its stack.
    """
    return torch.zeros(_whole(n), device=device)


def padded(flat: Tensor) -> Tensor:
    """A vector of `flat_views` with the zeros that fill its last registers."""
    filled = flat.untyped_storage().nbytes() // flat.element_size()
    ours = flat.storage_offset() == 0 and filled - flat.numel() < LANES
    return flat.as_strided((filled,), (1,)) if ours else flat


# ---------------------------------------------------------------- activations
# On flat memories of whole registers (`_registers`): ``forward`` makes a of z, with g for scratch;
# ``backward`` turns the gradient in a, which stands in g, into that in z.


class _Elu:
    """ELU in place: its derivative is a function of its value."""

    keeps_input = False

    @staticmethod
    def forward(z: Tensor, a: Tensor, g: Tensor) -> None:
        # max(z, exp(min(z, 0)) - 1), for the library's ELU calls expm1, which costs four times
        # what exp2 does; exp costs twice that.
        torch.clamp_max(z, 0.0, out=g)
        torch.maximum(z, g.mul_(_LOG2_E).exp2_().sub_(_ONE), out=z)

    @staticmethod
    def backward(z: Tensor, a: Tensor, g: Tensor) -> None:
        _aten.elu_backward.grad_input(g, 1.0, 1.0, 1.0, True, a, grad_input=g)


class _Relu:
    """ReLU in place."""

    keeps_input = False

    @staticmethod
    def forward(z: Tensor, a: Tensor, g: Tensor) -> None:
        z.relu_()

    @staticmethod
    def backward(z: Tensor, a: Tensor, g: Tensor) -> None:
        _aten.threshold_backward.grad_input(g, a, 0, grad_input=g)


class _Silu:
    """SiLU, z sigmoid(z): its derivative needs z, so z is kept."""

    keeps_input = True

    @staticmethod
    def forward(z: Tensor, a: Tensor, g: Tensor) -> None:
        _aten.silu.out(z, out=a)

    @staticmethod
    def backward(z: Tensor, a: Tensor, g: Tensor) -> None:
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

    Parameters, in order: W (K, dx + dy + 1, H) of the first layer, its rows those of x, those of y
    and the bias; W (K, H, H'), b (K, 1, H') of each further hidden layer; w (K, H, 1) and
    b (K, 1, 1) of the output.

    Wide x and y are multiplied as halves, once a batch, and re-paired. Narrow ones are paired
    first, with a column of ones for the bias: to multiply a few columns m + 1 times moves less
    memory than to re-pair H features.
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
        self.narrow, self.dx = dx + dy <= NARROW, dx
        parameters = _parameters(dx, dy, config.hidden)
        shapes = [(self.k, *p.shape) for p in parameters]
        self.theta, self.views = flat_views(shapes, device)
        self.grad, self.grads = flat_views(shapes, device)
        for k, generator in enumerate(generators):
            for view, parameter in zip(self.views, parameters, strict=True):
                view[k] = parameter.initial(config.init, generator).to(device)
        self._buffers: dict[tuple[int, int, int, bool], _Buffers] = {}
        self._last: tuple[Tensor, Tensor, Pairing, _Buffers] | None = None

    def values(
        self, x: Tensor, y: Tensor, pairing: Pairing, keep: bool = True
    ) -> tuple[Tensor, Tensor]:
        batch = x.shape[1]
        y = pairing.around(y)
        buf = self._buffer(batch, y.shape[1], pairing.m, y.shape[2], keep)
        if self.narrow:
            buf.pairs_x.copy_(x.unsqueeze(1))
            for pairs, rows in zip(buf.pairs_y, pairing.beside(y, batch), strict=True):
                pairs.copy_(rows)
        for group in buf.groups:
            group.forward(x, y, pairing)
        buf.t_row.add_(self.views[-1])
        self._last = (x, y, pairing, buf) if keep else None
        return buf.t_joint, buf.t_marginal

    def backward(self, g_joint: Tensor, g_marginal: Tensor) -> None:
        if self._last is None:
            raise RuntimeError("backward needs the values of a batch first, got none: call values")
        x, y, pairing, buf = self._last
        buf.gt_joint.copy_(g_joint)
        buf.gt_marginal.copy_(g_marginal)
        torch.sum(buf.gt, 1, keepdim=True, out=self.grads[-1])
        for group in buf.groups:
            group.backward(x, y, pairing)
        self._last = None  # the activations have served as memory for gradients

    def _buffer(self, batch: int, rows_y: int, m: int, dy: int, keep: bool) -> _Buffers:
        key = (batch, rows_y, m, keep)
        if key not in self._buffers:
            self._buffers[key] = _Buffers(self, batch, rows_y, m, dy, keep)
        return self._buffers[key]


class _Buffers:
    """All that a step of one batch shape writes, allocated once."""

    def __init__(
        self, critic: StackedMLP, batch: int, rows_y: int, m: int, dy: int, keep: bool
    ) -> None:
        k, rows, device = critic.k, (1 + m) * batch, critic.theta.device
        if critic.narrow:
            self.pairs = torch.ones(k, rows, critic.dx + dy + 1, device=device)
            pairs = self.pairs.unflatten(1, (1 + m, batch))
            self.pairs_x = pairs[..., : critic.dx]
            self.pairs_y = pairs[..., critic.dx : -1].unbind(1)
        self.t_row = torch.empty(k, 1, rows, device=device)
        self.gt = torch.empty(k, rows, 1, device=device)
        self.t_joint, self.t_marginal = self.t_row.squeeze(1).tensor_split((batch,), 1)
        self.gt_joint, self.gt_marginal = self.gt.squeeze(2).tensor_split((batch,), 1)
        most = k
        if device.type == "cpu":
            most = max(1, GROUP_BYTES // activation_bytes(critic.hidden, rows))
        groups = even_parts(k, -(-k // most)) if most > 1 else [slice(i, i + 1) for i in range(k)]
        size = max(g.stop - g.start for g in groups)
        memory = [_registers(size * rows * max(critic.hidden), device) for _ in range(2)]
        halves: list[Tensor] = []
        if not critic.narrow:
            halves = [
                torch.empty(size, n, critic.hidden[0], device=device) for n in (batch, rows_y)
            ]
        one_for_all = None if keep else _Activations(critic, size * rows)
        self.groups = [
            _Group(critic, self, cells, (1 + m, batch), one_for_all, memory, halves)
            for cells in groups
        ]


def even_parts(n: int, count: int) -> list[slice]:
    """About so many parts of n, alike to within one, but no part of one out of several: a product
    of single matrices is rounded otherwise than a batched one, and what is computed of a cell
    shall not depend on how many stand beside it."""
    count = max(1, min(count, n // 2))
    return [slice(a, b) for a, b in pairwise([n * j // count for j in range(count + 1)])]


def activation_bytes(hidden: Sequence[int], rows: int) -> int:
    """What a cell's step writes into: all layers' activations, and one layer's gradient."""
    return 4 * rows * (sum(hidden) + max(hidden))


class _Activations:
    """Memory of each layer before its activation, z, and after it, a, for so many rows."""

    def __init__(self, critic: StackedMLP, rows: int) -> None:
        def layers() -> list[Tensor]:
            return [_registers(rows * h, critic.theta.device) for h in critic.hidden]

        self.z = layers()
        self.a = layers() if critic.activation.keeps_input else self.z


class _Layer:
    """A hidden layer of a group, shape (k, rows, H): before the activation z, after it a, gradient
    g; and all three ``flat``, of whole registers."""

    def __init__(self, shape: tuple[int, int, int], z: Tensor, a: Tensor, g: Tensor) -> None:
        n = math.prod(shape)
        self.flat = tuple(v[: _whole(n)] for v in (z, a, g))
        self.z, self.a, self.g = (v[:n].view(shape) for v in (z, a, g))
        self.a_t = self.a.mT


@dataclass(frozen=True)
class _Between:
    """From one hidden layer of a group to the next: W (k, H, H') and b (k, 1, H')."""

    below: _Layer
    above: _Layer
    w: Tensor
    w_t: Tensor
    b: Tensor
    grad_w: Tensor
    grad_b: Tensor


class _Group:
    """Neighbours of a stack, few enough that a step of theirs stays in the cache.

    On a CPU a stack goes through its layers a group at a time: an operation on all K cells would
    find its numbers where the one before it had left them, which is too far away. The views of a
    step are made here, once: with small networks each costs as much as what is done with it.
    """

    def __init__(
        self,
        critic: StackedMLP,
        buffers: _Buffers,
        cells: slice,
        shape: tuple[int, int],
        activations: _Activations | None,
        memory: Sequence[Tensor],
        halves: Sequence[Tensor],
    ) -> None:
        k, rows, device = cells.stop - cells.start, math.prod(shape), critic.theta.device
        self.cells, self.shape = cells, shape
        self.act, self.narrow, self.dx = critic.activation, critic.narrow, critic.dx
        views, grads = ([v[cells] for v in vs] for vs in (critic.views, critic.grads))
        self.w_first, self.grad_first = views[0], grads[0]
        self.w_row, self.grad_row = (v[-2].view(k, 1, -1) for v in (views, grads))
        self.t_row, self.gt = buffers.t_row[cells], buffers.gt[cells]
        self.gt_row, self.ones = self.gt.view(k, 1, rows), torch.ones(k, 1, rows, device=device)
        activations = activations or _Activations(critic, k * rows)
        z, a = activations.z, activations.a
        # A layer's gradient is written where the activations of the next one have served, or, if
        # these are fewer, into a memory that all groups share (two: layers i and i + 1 overlap).
        g = [
            above if above is not None and len(above) >= len(own) else memory[i % 2]
            for i, (own, above) in enumerate(zip_longest(a, a[1:]))
        ]
        layers = [_Layer((k, rows, h), *of) for h, *of in zip(critic.hidden, z, a, g, strict=True)]
        self.first, self.last = layers[0], layers[-1]
        self.between = [
            _Between(*pair, w, w.mT, b, *gradients)
            for pair, w, b, *gradients in zip(
                pairwise(layers), views[1:-2:2], views[2:-2:2], grads[1:-2:2], grads[2:-2:2],
                strict=True,
            )
        ]  # fmt: skip
        if self.narrow:
            self.pairs = buffers.pairs[cells]
            self.pairs_t = self.pairs.mT
        else:
            self.hx, self.hy = (h[:k] for h in halves)
            self.paired = self.first.z.unflatten(1, shape).unbind(1)

    def forward(self, x: Tensor, y: Tensor, pairing: Pairing) -> None:
        """Writes T less the output's bias, for its cells, into ``t_row``."""
        if self.narrow:
            torch.bmm(self.pairs, self.w_first, out=self.first.z)
        else:
            self._pair(x[self.cells], y[self.cells], pairing.part(self.cells))
        self.act.forward(*self.first.flat)
        for to in self.between:
            torch.bmm(to.below.a, to.w, out=to.above.z).add_(to.b)
            self.act.forward(*to.above.flat)
        # A row times a matrix, in strides that say so: the matrix times a column costs twice that.
        torch.bmm(self.w_row, self.last.a_t, out=self.t_row)

    def _pair(self, x: Tensor, y: Tensor, pairing: Pairing) -> None:
        w = self.w_first
        torch.bmm(x, w[:, : self.dx], out=self.hx).add_(w[:, -1:])
        torch.bmm(y, w[:, self.dx : -1], out=self.hy)
        for z, rows in zip(self.paired, pairing.beside(self.hy, x.shape[1]), strict=True):
            torch.add(self.hx, rows, out=z)

    def backward(self, x: Tensor, y: Tensor, pairing: Pairing) -> None:
        """Writes the gradients of its cells, the output's bias aside, from their ``gt``."""
        torch.bmm(self.gt_row, self.last.a, out=self.grad_row)
        torch.mul(self.gt, self.w_row, out=self.last.g)
        for to in reversed(self.between):
            g = to.above.g
            self.act.backward(*to.above.flat)
            torch.bmm(to.below.a_t, g, out=to.grad_w)
            torch.bmm(self.ones, g, out=to.grad_b)
            torch.bmm(g, to.w_t, out=to.below.g)
        self.act.backward(*self.first.flat)
        if self.narrow:
            torch.bmm(self.pairs_t, self.first.g, out=self.grad_first)
        else:
            self._pair_back(x[self.cells], y[self.cells], pairing.part(self.cells))

    def _pair_back(self, x: Tensor, y: Tensor, pairing: Pairing) -> None:
        g = self.first.g.unflatten(1, self.shape)
        torch.add(g[:, 0], g[:, 1], out=self.hx)  # hx and hy have served: reused for gradients
        for j in range(2, self.shape[0]):
            self.hx += g[:, j]
        pairing.add_back(g, self.hy)
        grad = self.grad_first
        grad[:, : self.dx] = torch.bmm(x.mT, self.hx)
        grad[:, self.dx : -1] = torch.bmm(y.mT, self.hy)
        grad[:, -1:] = torch.bmm(self.ones[:, :, : x.shape[1]], self.hx)


@dataclass(frozen=True)
class _Parameter:
    """A parameter of one critic: its shape, its layer's inputs, how many last rows are biases."""

    shape: tuple[int, int]
    inputs: int
    biases: int

    def initial(self, init: str, generator: torch.Generator) -> Tensor:
        if init == "normal":
            found = torch.zeros(self.shape)
            found[: self.shape[0] - self.biases].normal_(0.0, 0.02, generator=generator)
            return found
        return (torch.rand(self.shape, generator=generator) * 2 - 1) / math.sqrt(self.inputs)


def parameter_shapes(dx: int, dy: int, hidden: tuple[int, ...]) -> list[tuple[int, int]]:
    """Of one `MLP`'s parameters, in order."""
    return [p.shape for p in _parameters(dx, dy, hidden)]


def _parameters(dx: int, dy: int, hidden: tuple[int, ...]) -> list[_Parameter]:
    found = [_Parameter((dx + dy + 1, hidden[0]), dx + dy, 1)]
    for inputs, outputs in pairwise((*hidden, 1)):
        found += [
            _Parameter((inputs, outputs), inputs, 0),
            _Parameter((1, outputs), inputs, 1),
        ]
    return found


# ------------------------------------------------------------- user's modules


@dataclass(frozen=True)
class Modules:
    """Critics from a function (dx, dy) -> torch.nn.Module whose forward maps (x, y) to (B,)."""

    make: Callable[[int, int], nn.Module]

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> Critic:
        modules = []
        for g in generators:
            # A module draws its start from torch's global generator: lent, and given back.
            with torch.random.fork_rng(devices=[]):
                torch.random.set_rng_state(g.get_state())
                modules.append(self.make(dx, dy))
        return stack_modules(modules, device)


def stack_modules(modules: Sequence[nn.Module], device: torch.device | str = "cpu") -> Critic:
    """Stacks modules of one architecture, each mapping x (B, dx), y (B, dy) to (B,) or (B, 1)."""
    return _StackedModules(modules, device)


def _stacked(of_modules: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors by name, each with a leading axis K. (torch's own `stack_module_state` refuses
    modules whose class a function makes anew at each call.)"""
    shapes = [{name: v.shape for name, v in of.items()} for of in of_modules]
    if any(of != shapes[0] for of in shapes):
        raise ValueError(
            f"expected modules of one architecture, got {shapes[0]} beside others: make them alike"
        )
    return {name: torch.stack([of[name].detach() for of in of_modules]) for name in shapes[0]}


class _StackedModules:
    """K modules as one batched program by torch.func; the gradient comes from autograd."""

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
        batch = x.shape[1]
        xs = torch.cat([x] * (1 + pairing.m), 1)
        ys = torch.cat(pairing.beside(pairing.around(y), batch), 1)
        leaves = [v.detach().requires_grad_() for v in self.views]

        def one(
            parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor, y: Tensor
        ) -> Any:
            return functional_call(self._module, (parameters, buffers), (x, y))

        with torch.set_grad_enabled(keep):
            named = dict(zip(self._names, leaves, strict=True))
            mapped = torch.vmap(one, randomness="different")
            t = mapped(named, self.buffers, xs, ys).reshape(self.k, -1)
            if t.shape[1] != xs.shape[1]:
                raise ValueError(
                    f"a critic must give one number a row, got {t.shape[1]} for {xs.shape[1]} rows"
                )
            t_joint, t_marginal = t[:, :batch], t[:, batch:]
        self._last = (leaves, t_joint, t_marginal) if keep else None
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
