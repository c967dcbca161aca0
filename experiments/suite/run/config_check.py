"""The check of a config: the values that neither tasks nor training nor critics check.

Each value has one `Rule`. Errors say what was expected, what came and what to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import Any

from experiments.suite.run.messages import HELP
from experiments.suite.run.targets import ConfigError


@dataclass(frozen=True)
class Rule:
    """What one value of a config must be.

    Args:
        key: where the value stands, as in an override: "scale.seeds".
        fits: whether a value is allowed.
        must: completes "<key> must ...".
        remedy: what to do about another value.
        shown: how the error shows a value.
    """

    key: str
    fits: Callable[[Any], bool]
    must: str
    remedy: str
    shown: Callable[[Any], str] = repr

    def check(self, value: Any) -> None:
        """Raise a ConfigError unless the value fits."""
        if not self.fits(value):
            raise ConfigError(
                f"{self.key} must {self.must}, got {self.shown(value)}: {self.remedy}"
            )


def target(group: str) -> Rule:
    return Rule(
        group,
        lambda value: "_target_" in value,
        "name its _target_",
        f"use {group}=default",
        lambda value: "none",
    )


def present(key: str) -> Rule:
    return Rule(
        key, lambda value: value not in (None, ""), "have a value", HELP, lambda value: "none"
    )


def whole(key: str, least: int) -> Rule:
    return Rule(
        key,
        lambda value: _is_whole(value) and value >= least,
        f"be a whole number >= {least}",
        f"give it one, such as {key}={max(least, 5)}",
    )


def flag(key: str, meaning: str) -> Rule:
    return Rule(key, lambda value: isinstance(value, bool), "be true or false", f"true {meaning}")


def seconds(key: str, *, or_null: bool) -> Rule:
    return Rule(
        key,
        lambda value: (or_null and value is None) or (_is_number(value) and value > 0),
        f"be a number of seconds above 0{' or null' if or_null else ''}",
        f"give it one, such as {key}=30",
    )


def values(key: str) -> Rule:
    """A list of the experiment's grid; `methods` must be a list, the others may be no list."""
    name = f"experiment.{key}"
    return Rule(
        name,
        lambda value: value != [] and (key != "methods" or isinstance(value, list)),
        "be a list of one or more values",
        f"write '{name}=[...]'",
    )


def factor(role: str, key: str) -> Rule:
    panel = f"experiment.panels.{role}"
    return Rule(
        f"{panel}.{key}",
        lambda value: 0 < value < math.inf,
        "be a factor above 0",
        f"leave the panel out with '~{panel}'",
        str,
    )


OTHER_CODE = "other_code"
"""The value of `keep` with which cells that other code made are kept."""

THREADS = Rule(
    "threads",
    lambda value: value is None or (_is_whole(value) and value >= 1),
    "be a whole number >= 1 or null",
    "give each job cores / jobs, such as threads=2",
)

KEEP = Rule(
    "keep",
    lambda value: value in (None, OTHER_CODE),
    f"be {OTHER_CODE} or null",
    f"write keep={OTHER_CODE} to keep cells that other code made",
)

RULES = (
    target("train"),
    target("critic"),
    present("device"),
    present("outputs"),
    whole("scale.seeds", 1),
    whole("scale.n_test", 2),
    whole("scale.ksg_n", 2),
    whole("estimator.partners", 1),
    whole("estimator.k", 1),
    flag("estimator.split", "judges methods on rows of one's own"),
    flag("figures", "draws them when the run ends"),
    seconds("checkpoint_seconds", or_null=False),
    seconds("time_limit", or_null=True),
)
"""The values that every config has, in the order in which they are checked."""


def check(config: Mapping[str, Any]) -> None:
    """Raise for the first value that breaks its rule.

    Raises:
        ConfigError: a value is not allowed.
        LookupError, TypeError: a key is missing, or something else stands where a group belongs.
    """
    for rule, value in _ruled(config):
        rule.check(value)
    KEEP.check(config.get("keep"))


def keeps_other_code(config: Mapping[str, Any]) -> bool:
    """Whether cells that other code made are kept."""
    return bool(config.get("keep") == OTHER_CODE)


def _ruled(config: Mapping[str, Any]) -> Iterator[tuple[Rule, Any]]:
    """Each rule with its value: `RULES`, and those for the experiment's lists and panels."""
    for rule in RULES:
        yield rule, reduce(getitem, rule.key.split("."), config)
    for key, value in config["experiment"].items():
        yield values(key), value
    for role, panel in config["experiment"]["panels"].items():
        for key in ("steps", "seeds"):
            yield factor(role, key), panel[key]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
