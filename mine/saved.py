"""A critic after its training: its log-ratio on other rows, in memory and on disk.

A file is safetensors: arrays, and a JSON text in its header (method, layers, columns, their
preprocessing). Nothing in it is executed. What it says of shapes is compared with the arrays that
it holds before anything is built, so that none is larger than the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mine.critics.mlp import MLP, Critic, CriticConfig, Modules, parameter_shapes
from mine.critics.residual import Residual
from mine.data.columns import Layout, as_columns
from mine.data.pairs import Shifts
from mine.data.preprocessing import Transform

FORMAT, VERSION = "mine critic", 2
LARGEST = 1 << 30  # bytes of a file
CHUNK_ROWS = 4096
_HOW = "save one anew with estimate(...).critic.save(path)"
Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Member:
    """One network, and the units of its training rows.

    Attributes:
        x: the preprocessing of X, and
        y: of Y.
        parameters: arrays like the critic's views, without their leading axis.
        buffers: arrays by name that a module of one's own holds beside its parameters.
        offset: mean T on the joint test rows less the estimate, in nats: for a DV value, the
            log-mean-exp of T on the marginal test pairs.
    """

    x: Transform
    y: Transform
    parameters: tuple[Array, ...]
    buffers: Mapping[str, Array]
    offset: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """The log-ratio log p(x, y) / (p(x) p(y)) that an estimate was read from, as it was found.

    Attributes:
        method: what it was trained by.
        layouts: what the columns of X and of Y are.
        members: one, or one for each fold.
        config: the network's layers; None for a module of one's own until it is given again.
    """

    method: str
    layouts: tuple[Layout, Layout]
    members: tuple[Member, ...]
    config: CriticConfig | None

    def pointwise(self, x: Any, y: Any) -> NDArray[np.float64]:
        """Log-ratios of rows, in nats: T(x, y) less its member's offset, averaged over members.

        Their mean over the rows that the estimate was tested on is the estimate (of one member,
        before it is extrapolated over rows).

        Args:
            x: (n, dx), as `mine.estimate` takes it.
            y: (n, dy).

        Returns:
            (n,).
        """
        (a, _), (b, _) = (
            as_columns(name, v, layout)
            for name, v, layout in zip("xy", (x, y), self.layouts, strict=True)
        )
        if len(a) != len(b):
            raise ValueError(
                f"x and y must pair up row by row, got {len(a)} and {len(b)} rows: drop the rows "
                "that one of them lacks"
            )
        found = [_values(self._critic(m), m.x(a), m.y(b)).numpy() - m.offset for m in self.members]
        return np.mean(found, 0)

    def _critic(self, member: Member) -> Critic:
        if self.config is None:
            raise ValueError(
                "expected the module that this critic is, got none: mine.load(path, critic=Module)"
            )
        dx, dy = (layout.width for layout in self.layouts)
        critic = self.config.stack(dx, dy, [torch.Generator()], "cpu")
        wanted, got = [v.shape[1:] for v in critic.views], [p.shape for p in member.parameters]
        buffers = getattr(critic, "buffers", {})
        if wanted != got or {n: b.shape[1:] for n, b in buffers.items()} != {
            n: b.shape for n, b in member.buffers.items()
        }:
            raise ValueError(
                f"expected a module with parameters {[tuple(s) for s in wanted]}, got {got}: give "
                "the module that was trained"
            )
        for view, array in zip(critic.views, member.parameters, strict=True):
            view.copy_(torch.from_numpy(array))
        for name, array in member.buffers.items():
            buffers[name].copy_(torch.from_numpy(array))
        return critic

    def save(self, path: str | Path) -> None:
        """Writes the file that `load` reads; it is there whole or not at all."""
        from safetensors.numpy import save

        target = Path(path)
        part = target.with_name(target.name + ".part")
        part.write_bytes(save(self._tensors(), {"mine": json.dumps(self._header())}))
        part.replace(target)

    def _header(self) -> dict[str, Any]:
        network = self.config.network if isinstance(self.config, Residual) else self.config
        return {
            "format": FORMAT,
            "version": VERSION,
            "method": self.method,
            "critic": asdict(network) if isinstance(network, MLP) else None,
            "residual": isinstance(self.config, Residual),
            "columns": [asdict(layout) for layout in self.layouts],
            "members": [
                {
                    "x": m.x.kinds, "y": m.y.kinds,
                    "parameters": len(m.parameters), "buffers": sorted(m.buffers),
                }
                for m in self.members
            ],
        }  # fmt: skip

    def _tensors(self) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for i, m in enumerate(self.members):
            found[f"{i}.offset"] = np.array([m.offset])
            found |= {f"{i}.parameter.{j}": p for j, p in enumerate(m.parameters)}
            found |= {f"{i}.buffer.{name}": b for name, b in m.buffers.items()}
            for side, t in (("x", m.x), ("y", m.y)):
                found |= {f"{i}.{side}.shift": t.shift, f"{i}.{side}.scale": t.scale}
                found |= {f"{i}.{side}.knots.{j}": k for j, k in enumerate(t.knots) if k.size}
        return {name: np.ascontiguousarray(array) for name, array in found.items()}


def _values(critic: Critic, x: Tensor, y: Tensor) -> Tensor:
    """T on joint pairs, (n,) float64; each chunk's marginal pairs are not looked at."""
    found = [
        critic.values(a[None], b[None], Shifts(1), keep=False)[0][0].clone()
        for a, b in zip(x.split(CHUNK_ROWS), y.split(CHUNK_ROWS), strict=True)
    ]
    return torch.cat(found).double()


def taken(
    method: str,
    layouts: tuple[Layout, Layout],
    transforms: tuple[Transform, Transform],
    critic: Critic,
    k: int,
    offset: float,
    config: object,
) -> Fitted:
    """Cell k of a stack that has been trained, as arrays of its own."""
    buffers = getattr(critic, "buffers", {})
    member = Member(
        *transforms,
        parameters=tuple(v[k].detach().cpu().numpy().copy() for v in critic.views),
        buffers={name: b[k].cpu().numpy().copy() for name, b in buffers.items()},
        offset=offset,
    )
    known = config if isinstance(config, MLP | Residual) else None
    return Fitted(method, layouts, (member,), known)


def joined(parts: Sequence[Fitted | None]) -> Fitted | None:
    """The folds' critics as one."""
    there = [part for part in parts if part is not None]
    if not there:
        return None
    return replace(there[0], members=tuple(m for part in there for m in part.members))


# -------------------------------------------------------------------- reading


def load(path: str | Path, critic: Callable[[int, int], nn.Module] | None = None) -> Fitted:
    """Reads what `Fitted.save` wrote.

    Args:
        path: the file.
        critic: the function (dx, dy) -> torch.nn.Module, where it was trained with one.

    Raises:
        ValueError: it is no such file.
    """
    from safetensors import SafetensorError, safe_open

    file = Path(path)
    if file.exists() and not file.is_file():
        raise ValueError(f"expected a critic's file, got {file}, which is none: {_HOW}")
    size = file.stat().st_size
    if size > LARGEST:
        raise ValueError(f"expected a critic of at most {LARGEST} bytes, got {size}: {_HOW}")
    try:
        with safe_open(file, "numpy") as opened:
            header = json.loads((opened.metadata() or {})["mine"])
            names = set(opened.keys())
            fitted = _from_file(header, names, opened.get_tensor)
    except (
        *(SafetensorError, ValueError, TypeError, KeyError, IndexError, AttributeError),
        *(RecursionError, OverflowError, MemoryError),
    ) as error:
        raise ValueError(f"expected a critic's file, got {file}: {error!r}: {_HOW}") from None
    if critic is not None and fitted.config is not None:
        raise ValueError("expected no module for a critic of the built-in kind: leave critic out")
    made = fitted if critic is None else replace(fitted, config=Modules(critic))
    if made.config is not None:
        for member in made.members:
            made._critic(member)
    return made


def _from_file(header: Any, names: set[str], tensor: Callable[[str], Array]) -> Fitted:
    kind = header["format"], header["version"]
    if kind != (FORMAT, VERSION):
        raise ValueError(f"its format is {kind}, this version reads {(FORMAT, VERSION)}")
    network, config = None, None
    if header["critic"] is not None:
        network = MLP(**{**header["critic"], "hidden": tuple(header["critic"]["hidden"])})
        config = Residual(network) if header["residual"] else network
    x, y = (_layout(one) for one in header["columns"])
    left = set(names)

    def read(name: str, dtype: Any, shape: tuple[int, ...] | None = None) -> Array:
        array = tensor(name)
        wrong_shape = shape is not None and array.shape != shape
        if array.dtype != dtype or wrong_shape or not np.isfinite(array).all():
            raise ValueError(
                f"expected {name} finite, {np.dtype(dtype)}, {shape}, got {array.dtype}, "
                f"{array.shape}"
            )
        left.discard(name)
        return array

    def transform(prefix: str, kinds: Any, width: int) -> Transform:
        if len(kinds) != width:
            raise ValueError(f"expected {width} columns of {prefix}, got {len(kinds)}")
        f8 = np.float64
        knots = [
            read(f"{prefix}.knots.{j}", f8) if k in ("rank", "copula") else np.empty((2, 0))
            for j, k in enumerate(kinds)
        ]
        shift, scale = (read(f"{prefix}.{name}", f8, (width,)) for name in ("shift", "scale"))
        return Transform(tuple(kinds), shift, scale, tuple(knots))

    def member(i: int, told: Any) -> Member:
        count = told["parameters"]
        shapes: list[Any] = [None] * len([n for n in names if n.startswith(f"{i}.parameter.")])
        if network is not None:
            shapes = list(parameter_shapes(x.width, y.width, network.hidden))
        if count != len(shapes):
            raise ValueError(f"expected {len(shapes)} parameters, got {count}")
        buffers = {n: tensor(f"{i}.buffer.{n}") for n in told["buffers"]}
        if isinstance(config, Residual):
            buffers = {n: read(f"{i}.buffer.{n}", np.float32) for n in buffers}
            if not (np.abs(buffers["rho"]) < 1.0).all():
                raise ValueError("expected correlations within (-1, 1), got others")
            if not ((buffers["tail"][:, 0] >= 0.0) & (buffers["tail"][:, 0] <= 1.0)).all():
                raise ValueError("expected tails of one degree of freedom or more, got others")
        return Member(
            x=transform(f"{i}.x", told["x"], x.width),
            y=transform(f"{i}.y", told["y"], y.width),
            parameters=tuple(
                read(f"{i}.parameter.{j}", np.float32, s) for j, s in enumerate(shapes)
            ),
            buffers=buffers,
            offset=float(read(f"{i}.offset", np.float64, (1,))[0]),
        )

    members = tuple(member(i, told) for i, told in enumerate(header["members"]))
    left -= {f"{i}.buffer.{n}" for i, m in enumerate(members) for n in m.buffers}
    if left or not members or not isinstance(header["method"], str):
        raise ValueError(f"it has no members, or arrays that no critic has: {sorted(left)[:5]}")
    return Fitted(header["method"], (x, y), members, config)


def _layout(told: Any) -> Layout:
    names, levels = tuple(told["names"]), tuple(tuple(of) for of in told["levels"])
    texts = [*names, *(one for of in levels for one in of)]
    if len(names) != len(levels) or not names or not all(isinstance(t, str) for t in texts):
        raise ValueError(f"expected columns by name with their levels, got {told!r:.200}")
    return Layout(names, levels)
