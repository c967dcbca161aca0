"""What depends on one column alone, computed once for all pairs of a table that it is in.

A table of d columns has d (d - 1) / 2 pairs. Each pair looks at its two columns: their ranks,
their order, whether they are labels. Inside `shared_work`, a function marked `once_a_column` keeps
its results for the columns of the table, and for arrays that such a function returned. Outside it,
and for any other array, the function is called as usual. Nothing is kept when the block ends.

A marked function must be pure, and nobody may change what it returns, for all callers get the same
object.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mine.memory import of_this_process

MOST = 0.25
"""Share of the free memory that results take together; further ones are computed anew."""

Values = NDArray[Any] | Tensor
P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V", bound=Values)


class _Results:
    """What was found in one call, by the function and where its column's memory begins."""

    def __init__(self, columns: Sequence[Tensor]) -> None:
        self._columns = columns  # held, so that no other array comes to stand in their memory
        self._found: dict[Hashable, Any] = {}
        self._known: set[int] = set()
        self._room = MOST * of_this_process().free  # bytes
        for column in columns:
            self._know(column)

    def of(self, function: Callable[..., R], v: Values, *rest: Any) -> R:
        start = _start(v)
        if start not in self._known:
            return function(v, *rest)
        strides = v.stride() if isinstance(v, Tensor) else v.strides
        key = function, start, type(v), tuple(v.shape), strides, v.dtype, rest
        if key in self._found:
            return cast(R, self._found[key])
        result = function(v, *rest)
        size = result.nbytes if isinstance(result, np.ndarray | Tensor) else 0
        if size <= self._room:
            self._room -= size
            self._found[key] = result
            if isinstance(result, np.ndarray | Tensor):
                self._know(result)
        return result

    def _know(self, v: Values) -> None:
        """Where each of its columns begins; its first rows begin there, too."""
        if v.ndim and len(v):
            columns = [v] if v.ndim == 1 else [v[:, i] for i in range(v.shape[1])]
            self._known |= {_start(column) for column in columns}


def _start(v: Values) -> int:
    """Where its memory begins; 0 on a device."""
    if isinstance(v, Tensor):
        return v.data_ptr() if v.device.type == "cpu" else 0
    return int(v.__array_interface__["data"][0])


_RESULTS: ContextVar[_Results | None] = ContextVar("_RESULTS", default=None)


@contextmanager
def shared_work(columns: Sequence[Tensor]) -> Iterator[None]:
    """A block in which work on these columns, (n, width) each, is shared. They must not change."""
    token = _RESULTS.set(_Results(columns))
    try:
        yield
    finally:
        _RESULTS.reset(token)


def once_a_column(function: Callable[Concatenate[V, P], R]) -> Callable[Concatenate[V, P], R]:
    """A pure function of a column, or of the columns of one side, that is shared.

    Its other arguments are hashable.
    """

    @wraps(function)
    def called(v: V, /, *args: P.args, **kwargs: P.kwargs) -> R:
        results = _RESULTS.get()
        if results is None or kwargs:
            return function(v, *args, **kwargs)
        return results.of(function, v, *args)

    return called
