"""The methods by name. `mine.methods()` is this mapping, and every ``method`` argument is a key:

    mine                 a name
    smile(tau=1)         with parameters of the method
    mine/infonce         a pair: trained as the first, reported as the second, where that can be

The entries are those that the files of this folder list in their `METHODS`: a method is added by
one file. `ORDER` is that of the table of docs/methods.md, which is ``print(mine.methods())``.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from typing import Any

import mine.method
from mine.method.method import LOWER, Method
from mine.spelling import did_you_mean

Maker = Callable[..., Method]
"""A method as a function of its parameters. Their defaults are the usual values, and numbers."""

ORDER = (
    *("auto", "mine", "mine_f", "dv", "remine", "js", "smile", "infonce", "tuba"),
    *("interpolated", "dime_gan", "dime_kl", "dime_hellinger", "club", "doe"),
    *("ksg", "gaussian", "gaussian_copula", "plugin", "mixed"),
)
"""The first methods of the table. Others follow, by name."""


class Methods(Mapping[str, Method]):
    """The methods by name, in a fixed order; a key may have parameters or be a pair.

    Iteration gives the plain names; printing gives the table.

    Args:
        makers: one for each method.
        values: what stands on the right of a pair only: what is measured of a trained critic and
            is no estimate of I.
    """

    def __init__(self, makers: Iterable[Maker], values: Iterable[Maker] = ()) -> None:
        self._makers, self._values = _by_name(makers), _by_name(values)
        self._other_names = {
            other: name for name, maker in self._makers.items() for other in maker().other_names
        }
        self._find = lru_cache(maxsize=None)(self._resolve)

    def beside(self, *values: Maker) -> Methods:
        """These methods, with more values for the right of a pair."""
        return Methods(self._makers.values(), [*self._values.values(), *values])

    def resolve(self, spelling: str) -> Method:
        """The method of this name.

        Raises:
            ValueError: there is none, or its parameters or the pair cannot be right.
        """
        try:
            if not isinstance(spelling, str):
                raise KeyError(spelling)
            return self[spelling]
        except KeyError:
            meant = did_you_mean(str(spelling), self)
            raise ValueError(
                f"method must be one of {list(self)}, got {spelling!r}"
                + f": {meant}" * bool(meant)
            ) from None

    def __getitem__(self, spelling: str) -> Method:
        """
        Raises:
            KeyError: no method has this name.
            ValueError: one has, but its parameters or the pair cannot be right.
        """
        return self._find(spelling)

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __repr__(self) -> str:
        return f"Methods({', '.join(self)})"

    def __str__(self) -> str:
        """The table, in Markdown."""
        head = "name", "trains on", "reports", "kind", "good at", "source"
        body = [
            (_signature(m), m.trains or "(nothing)", m.reports, m.kind, m.good_at, m.source)
            for m in self.values()
        ]
        lines = [head, ["---"] * len(head), *body]
        escaped = ([cell.replace("|", r"\|") for cell in cells] for cells in lines)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)

    def _resolve(self, spelling: str) -> Method:
        if (lone := spelling.partition("/")[0].strip()).partition("(")[0] in self._values:
            raise ValueError(
                f"{spelling!r} trains nothing and is no estimate of I: report it of a training, "
                f"as in 'mine/{lone}'"
            )
        trained, *reported = (self._one(part, spelling) for part in spelling.split("/"))
        if len(reported) > 1:
            raise KeyError(spelling)
        return replace(_pair(trained, reported[0]), name=spelling) if reported else trained

    def _one(self, part: str, spelling: str) -> Method:
        matched = re.fullmatch(r"(\w+)(?:\((.*)\))?", part.strip())
        name = matched and self._other_names.get(matched[1], matched[1])
        makers = self._makers | self._values
        if not matched or name not in makers:
            raise KeyError(
                f"{spelling!r}: no method is called {part.strip()!r}: take one of {list(self)}; "
                "what is measured of a critic and estimates nothing stands in experiments/probes"
            )
        maker = makers[name]
        known = {p.name: p.default for p in inspect.signature(maker).parameters.values()}
        given = assignments(part, matched[2] or "", known)
        return replace(maker(**given), name=part.strip(), parameters={**known, **given})


def _by_name(makers: Iterable[Maker]) -> dict[str, Maker]:
    """
    Raises:
        ValueError: two have one name.
    """
    found: dict[str, Maker] = {}
    for maker in makers:
        name = maker().name
        if name in found:
            raise ValueError(f"expected one method of each name, got two {name!r}: rename one")
        found[name] = maker
    return found


def assignments(method: str, text: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """'tau=1, alpha=0.5' -> numbers by name, of the types of the defaults.

    Raises:
        ValueError: a name is not known, or a value is no number of its type.
    """
    found = {}
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, _, value = (piece.strip() for piece in item.partition("="))
        if name not in known:
            raise ValueError(
                f"{method!r}: expected parameters among {list(known)}, got {name!r}: spell them "
                "as in 'smile(tau=1)'"
            )
        try:
            found[name] = type(known[name])(value)
        except ValueError:
            kind = "a whole number" if isinstance(known[name], int) else "a number"
            raise ValueError(
                f"{method!r}: expected {kind} for {name}, got {value!r}: the default is "
                f"{known[name]}"
            ) from None
    return found


def _pair(trained: Method, reported: Method) -> Method:
    """Trained as the one, reported as the other."""
    for method in (trained, reported):
        if method.is_direct:
            raise ValueError(f"{method.name} trains nothing: it cannot be half of a pair")
    if trained.optimum not in reported.valid_at:
        raise ValueError(
            f"{trained.name} trains a critic towards {trained.optimum}, got {reported.name} to "
            f"report, which needs {' or '.join(reported.valid_at)}: take another value"
        )
    return replace(
        reported,
        trains=trained.trains,
        source=f"{trained.source}; {reported.source}",
        good_at="",
        objective=trained.objective,
        criterion=reported.criterion if reported.kind == LOWER else trained.criterion,
        critic=trained.critic,
        optimum=trained.optimum,
        parameters={**trained.parameters, **reported.parameters},
    )


def _signature(method: Method) -> str:
    """The name with its parameters, and its other names."""
    values = ", ".join(f"{name}={value:g}" for name, value in method.parameters.items())
    shown = f"`{method.name}({values})`" if values else f"`{method.name}`"
    return " or ".join([shown, *(f"`{other}`" for other in method.other_names)])


def _found() -> list[Maker]:
    """The entries of all files of this folder, in the order of the table."""
    names = sorted(module.name for module in pkgutil.iter_modules(mine.method.__path__))
    families = (import_module(f"mine.method.{name}") for name in names if name != "names")
    makers = _by_name(maker for family in families for maker in getattr(family, "METHODS", ()))
    order = [*ORDER, *sorted(set(makers) - set(ORDER))]
    return [makers[name] for name in order]


METHODS = Methods(_found())


def methods() -> Methods:
    """What ``method`` takes: a mapping whose keys are the names.

    >>> "mine" in mine.methods()
    True
    >>> mine.methods()["smile"].kind
    'neither'
    >>> print(mine.methods())       # the table of all of them
    """
    return METHODS
