"""Reading a critic's file: what it claims is checked before anything is built from it.

A file is safetensors, written by `mine.fitted.Fitted.save`. Nothing in it is executed. The shapes
that its header claims are compared with the arrays that it holds, so that nothing larger than the
file is ever allocated.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from mine.critics.mlp import MLP
from mine.critics.modules import Modules
from mine.critics.parameters import parameter_shapes
from mine.critics.started import Started
from mine.critics.starts import COPULA, inputs_of, network_of, started
from mine.data.columns import Layout
from mine.data.preprocessing import RANKED, Transform
from mine.data.torch_defaults import with_usual_defaults
from mine.fitted import FORMAT, VERSION, Array, Fitted, Member

LARGEST = 1 << 30  # bytes of a file
OLDER = 2  # a version that had one kind of start
_HOW = "save one anew with estimate(...).critic.save(path)"


@with_usual_defaults
def load(path: str | Path, critic: Callable[[int, int], nn.Module] | None = None) -> Fitted:
    """Reads what `Fitted.save` wrote.

    Args:
        path: the file.
        critic: the function (dx, dy) -> torch.nn.Module, where it was trained with one.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not a critic's file.
    """
    from safetensors import SafetensorError, safe_open

    file = Path(path)
    _check_size(file)
    try:
        with safe_open(file, "numpy") as opened:
            header = json.loads((opened.metadata() or {})["mine"])
            fitted = _Reader(header, set(opened.keys()), opened.get_tensor).fitted()
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
            made.critic_of(member)
    return made


def _check_size(file: Path) -> None:
    if not file.exists():
        raise FileNotFoundError(f"expected a critic's file, got no file {str(file)!r}: {_HOW}")
    if not file.is_file():
        raise ValueError(f"expected a critic's file, got {file}, which is none: {_HOW}")
    size = file.stat().st_size
    if size > LARGEST:
        raise ValueError(f"expected a critic of at most {LARGEST} bytes, got {size}: {_HOW}")


class _Reader:
    """Reads one file, and checks its header and its arrays against each other.

    Attributes:
        header: what the file says of itself.
        names: the arrays that it holds.
        tensor: reads one of them.
        left: the arrays that have not been read yet; at the end there must be none.
        config: the network; None for a user's own module.
        sides: the layouts of X and of Y.
    """

    def __init__(self, header: Any, names: set[str], tensor: Callable[[str], Array]) -> None:
        kind = header["format"], header["version"]
        if kind not in ((FORMAT, VERSION), (FORMAT, OLDER)):
            raise ValueError(f"its format is {kind}, this version reads {(FORMAT, VERSION)}")
        self.header, self.names, self.tensor, self.left = header, names, tensor, set(names)
        self.config = _config(header)
        x, y = (_layout(one) for one in header["columns"])
        self.sides = x, y

    def fitted(self) -> Fitted:
        members = tuple(self._member(i, of) for i, of in enumerate(self.header["members"]))
        self.left -= {f"{i}.buffer.{n}" for i, m in enumerate(members) for n in m.buffers}
        method = self.header["method"]
        if self.left or not members or not isinstance(method, str):
            raise ValueError(
                f"it has no members, or arrays that no critic has: {sorted(self.left)[:5]}"
            )
        return Fitted(method, self.sides, members, self.config)

    def _member(self, i: int, header: Any) -> Member:
        shapes = self._shapes(i)
        if header["parameters"] != len(shapes):
            raise ValueError(f"expected {len(shapes)} parameters, got {header['parameters']}")
        x, y = self.sides
        buffers = self._buffers(i, header["buffers"])
        return Member(
            x=self._transform(f"{i}.x", header["x"], x.width),
            y=self._transform(f"{i}.y", header["y"], y.width),
            parameters=tuple(
                self._read(f"{i}.parameter.{j}", np.float32, s) for j, s in enumerate(shapes)
            ),
            buffers=buffers,
            offset=float(self._read(f"{i}.offset", np.float64, (1,))[0]),
        )

    def _shapes(self, i: int) -> list[Any]:
        """The shapes of a member's parameters; None each where only the user's module knows."""
        x, y = self.sides
        if self.config is not None:
            inputs = inputs_of(self.config, x.width, y.width)
            return list(parameter_shapes(*inputs, network_of(self.config).hidden))
        return [None] * len([n for n in self.names if n.startswith(f"{i}.parameter.")])

    def _buffers(self, i: int, names: Any) -> dict[str, Array]:
        if not isinstance(self.config, Started):
            return {n: self.tensor(f"{i}.buffer.{n}") for n in names}
        buffers = {n: self._read(f"{i}.buffer.{n}", np.float32) for n in names}
        if not (np.abs(buffers["rho"]) < 1.0).all():
            raise ValueError("expected correlations within (-1, 1), got others")
        inverse = buffers["tail"][:, 0] if "tail" in buffers else np.zeros(1)
        if not ((inverse >= 0.0) & (inverse <= 1.0)).all():
            raise ValueError("expected tails of one degree of freedom or more, got others")
        return buffers

    def _transform(self, prefix: str, kinds: Any, width: int) -> Transform:
        if len(kinds) != width:
            raise ValueError(f"expected {width} columns of {prefix}, got {len(kinds)}")
        f8 = np.float64
        knots = [
            self._read(f"{prefix}.knots.{j}", f8) if k in RANKED else np.empty((2, 0))
            for j, k in enumerate(kinds)
        ]
        shift, scale = (
            self._read(f"{prefix}.{name}", f8, (width,)) for name in ("shift", "scale")
        )
        return Transform(tuple(kinds), shift, scale, tuple(knots))

    def _read(self, name: str, dtype: Any, shape: tuple[int, ...] | None = None) -> Array:
        """An array of this type and shape, all of whose numbers are finite."""
        array = self.tensor(name)
        wrong_shape = shape is not None and array.shape != shape
        if array.dtype != dtype or wrong_shape or not np.isfinite(array).all():
            raise ValueError(
                f"expected {name} finite, {np.dtype(dtype)}, {shape}, got {array.dtype}, "
                f"{array.shape}"
            )
        self.left.discard(name)
        return array


def _config(header: Any) -> MLP | Started | None:
    if header["critic"] is None:
        return None
    network = MLP(**{**header["critic"], "hidden": tuple(header["critic"]["hidden"])})
    start = header["start"] if header["version"] == VERSION else COPULA * header["residual"]
    return started(network, start)


def _layout(header: Any) -> Layout:
    names, levels = tuple(header["names"]), tuple(tuple(of) for of in header["levels"])
    texts = [*names, *(one for of in levels for one in of)]
    if len(names) != len(levels) or not names or not all(isinstance(t, str) for t in texts):
        raise ValueError(f"expected columns by name with their levels, got {header!r:.200}")
    return Layout(names, levels)
