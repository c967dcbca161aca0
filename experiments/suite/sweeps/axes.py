"""Which settings vary between runs, and the axes that they make.

A *setting* is what a run was given besides its cells: the values of all config keys that vary
between the runs. Keys that vary together make one *axis*, named by the first of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from experiments.suite.figures.labels import short
from experiments.suite.store.identity import IGNORED_KEYS
from experiments.suite.store.serialising import canonical_json

Config = Mapping[str, Any]
Settings = Mapping[str, Any]
"""Dotted key -> value."""

NOT_SETTINGS = IGNORED_KEYS | {"device", "shard", "shards"}
"""Top-level keys of a config that say where and how a run is done, not what it computes."""


@dataclass(frozen=True)
class Axis:
    """Keys that vary together, and the values of the first of them, sorted, each once."""

    key: str
    values: tuple[Any, ...]
    tied: tuple[str, ...] = ()

    @cached_property
    def numeric(self) -> bool:
        return all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values)

    @cached_property
    def logarithmic(self) -> bool:
        """Whether the values span so much that a linear axis would hide most of them."""
        return self.numeric and min(self.values) > 0 and max(self.values) >= 8 * min(self.values)

    @cached_property
    def labels(self) -> list[str]:
        return [show(value) for value in self.values]

    @property
    def short(self) -> str:
        """'learning rate' for train.learning_rate."""
        return self.key.rpartition(".")[2].replace("_", " ")

    @cached_property
    def places(self) -> list[float]:
        """Where the values stand on a drawn axis."""
        return [float(v) for v in self.values] if self.numeric else [*map(float, range(self.size))]

    @property
    def size(self) -> int:
        return len(self.values)


def flatten(config: Config, prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value, in the config's order; lists are values."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if not prefix and key in NOT_SETTINGS:
            continue
        if isinstance(value, Mapping) and value:
            found |= flatten(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def varying(settings: Sequence[Settings]) -> list[str]:
    """The keys whose values differ; a missing key counts as null."""
    keys = dict.fromkeys(key for one in settings for key in one)
    return [key for key in keys if len({text_of(one, key) for one in settings}) > 1]


def axes_of(settings: Sequence[Settings]) -> list[Axis]:
    """The varying keys as axes, in the settings' order; see `owners` for what is tied to what."""
    keys = varying(settings)
    owner = owners({key: [text_of(one, key) for one in settings] for key in keys})
    return [
        Axis(
            head,
            _values(settings, head),
            tuple(key for key in keys if owner[key] == head and key != head),
        )
        for head in keys
        if owner[head] == head
    ]


def owners(texts: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Each key -> the key of its axis: the key itself, or another one whose value decides its.

    Where two keys decide each other, the first of them names the axis. A key like `critic.name`
    goes before all others: it names the preset of a config group.

    Args:
        texts: each key's value in every run, as text.
    """
    keys = sorted(texts, key=lambda key: not key.endswith(".name"))
    owner: dict[str, str] = {}
    for key in sorted(keys, key=lambda key: -len(set(texts[key]))):
        heads = [head for head, of in owner.items() if head == of]
        deciding = (head for head in heads if decides(texts[head], texts[key]))
        owner[key] = next(deciding, key)
    return owner


def decides(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the value of one key gives the value of the other, in every run."""
    return len(set(zip(one, other, strict=True))) == len(set(one))


def _values(settings: Sequence[Settings], key: str) -> tuple[Any, ...]:
    return tuple(sorted({text_of(one, key): one.get(key) for one in settings}.values(), key=rank))


def text_of(settings: Settings, key: str) -> str:
    """A value as text that is equal for equal values."""
    return canonical_json(settings.get(key))


def rank(value: Any) -> tuple[Any, ...]:
    """Sorts values of any kind: none, switches, numbers, text, lists."""
    match value:
        case None:
            return (0,)
        case bool():
            return (1, value)
        case int() | float():
            return (2, value)
        case list():
            return (4, *map(rank, value))
        case _:
            return (3, str(value))


def show(value: Any) -> str:
    """A value as text: '.001', '64 × 64', 'elu', '–' where the key is missing."""
    match value:
        case None:
            return "–"
        case bool():
            return str(value).lower()
        case int() | float():
            return short(f"{value:g}")
        case list():
            return " × ".join(map(show, value)) if value else "[]"
        case _:
            return str(value)
