"""A critic after its training: its log-ratio on other rows, and the file that it is saved to.

A file is safetensors: arrays, and a JSON text in its header (method, layers, columns, their
preprocessing). `mine.saved` reads it.

    0.parameter.0, 0.parameter.1, ...       the first member's parameters, in the critic's order
    0.buffer.NAME                           its buffers
    0.offset                                (1,)
    0.x.shift, 0.x.scale, 0.x.knots.0, ...  the preprocessing of X; 0.y. likewise
    1.parameter.0, ...                      the second member's, where there are folds
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mine.critics.mlp import MLP
from mine.critics.protocol import Critic, CriticConfig
from mine.critics.started import Started
from mine.critics.starts import network_of, start_of
from mine.data.columns import Layout, as_columns
from mine.data.pairs import Shifts
from mine.data.preprocessing import Transform
from mine.data.torch_defaults import with_usual_defaults

FORMAT, VERSION = "mine critic", 3
CHUNK_ROWS = 4096
Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Member:
    """One trained network, and the preprocessing that was fitted to its training rows.

    Attributes:
        x: the preprocessing of X.
        y: the preprocessing of Y.
        parameters: arrays like the critic's views, without their leading axis.
        buffers: the critic's other arrays by name, without their leading axis: those of a user's
            own module, or what its start was fitted to.
        offset: mean T on the joint test rows minus the estimate, in nats: for a DV value, the
            log-mean-exp of T on the marginal test pairs.
    """

    x: Transform
    y: Transform
    parameters: tuple[Array, ...]
    buffers: Mapping[str, Array]
    offset: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """The log-ratio log p(x, y) / (p(x) p(y)) that an estimate is the mean of.

    Attributes:
        method: the method that trained it.
        layouts: what the columns of X and of Y are.
        members: one network, or one for each fold.
        config: the network's layers; None for a user's own module until it is passed again.
    """

    method: str
    layouts: tuple[Layout, Layout]
    members: tuple[Member, ...]
    config: CriticConfig | None

    @with_usual_defaults
    def pointwise(self, x: Any, y: Any) -> NDArray[np.float64]:
        """Log-ratios of rows, in nats: T(x, y) minus the member's offset, averaged over members.

        With one member, their mean over the rows that the estimate was tested on is the estimate
        (before any extrapolation over rows).

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
        if not len(a):
            return np.empty(0)
        return np.mean([self._log_ratios(m, a, b) for m in self.members], 0)

    def _log_ratios(self, member: Member, x: Tensor, y: Tensor) -> Array:
        """One member's, (n,)."""
        t = _values(self.critic_of(member), member.x(x), member.y(y))
        return t.numpy() - member.offset

    def critic_of(self, member: Member) -> Critic:
        """The member's network, as a stack of one.

        Raises:
            ValueError: the config makes no network with such parameters and buffers.
        """
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
        """Writes the file that `mine.load` reads, whole or not at all.

        Raises:
            OSError: the file cannot be written, or the disk is full; an older file stays.
        """
        from safetensors.numpy import save

        target = Path(path)
        content = save(self._tensors(), {"mine": json.dumps(self._header())})
        # A name of its own, for other processes may write the same file.
        part = target.with_name(f".{uuid.uuid4().hex}.part")
        try:
            part.write_bytes(content)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def _header(self) -> dict[str, Any]:
        network = network_of(self.config)
        return {
            "format": FORMAT,
            "version": VERSION,
            "method": self.method,
            "critic": asdict(network) if isinstance(network, MLP) else None,
            "start": start_of(self.config),
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
    """T on joint pairs, (n,) float64. The marginal pairs' values are thrown away."""
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
    """Cell k of a trained stack, copied.

    Args:
        method: the method that trained it.
        layouts: what the columns of X and of Y are.
        transforms: their preprocessing.
        critic: the stack.
        k: which cell.
        offset: see `Member`.
        config: the critic's config.
    """
    buffers = getattr(critic, "buffers", {})
    member = Member(
        *transforms,
        parameters=tuple(v[k].detach().cpu().numpy().copy() for v in critic.views),
        buffers={name: b[k].cpu().numpy().copy() for name, b in buffers.items()},
        offset=offset,
    )
    known = config if isinstance(config, MLP | Started) else None
    return Fitted(method, layouts, (member,), known)


def joined(parts: Sequence[Fitted | None]) -> Fitted | None:
    """One critic with the members of all folds; None where no fold has one."""
    there = [part for part in parts if part is not None]
    if not there:
        return None
    return replace(there[0], members=tuple(m for part in there for m in part.members))
