"""A run's identity: hashes of what was asked for, equal in every process and on every machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping
from functools import cache
from typing import Any

from experiments.suite.store.serialising import canonical_json

DISTRIBUTION = "mine-mi"

IGNORED_KEYS = frozenset(
    {
        *("hydra", "outputs", "checkpoint_seconds", "time_limit", "threads", "figures", "sinks"),
        "keep",
    }
)
"""Top-level keys of a config that do not change a run's results, and so not its id."""


@cache
def package_version() -> str:
    """The version of the installed package, ``0+unknown`` where it is not installed."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"


def run_id(config: Mapping[str, Any], version: str | None = None) -> str:
    """The id of a run, 12 hexadecimal digits: a hash of its config and the package's version.

    Args:
        config: the resolved config as plain data. Keys in `IGNORED_KEYS` are left out, and the
            order of keys does not matter.
        version: the package's version; by default the installed one.
    """
    asked = {key: value for key, value in config.items() if key not in IGNORED_KEYS}
    if asked.get("shards") == 1:  # the whole grid: the same run as without these keys
        asked = {key: value for key, value in asked.items() if key not in ("shards", "shard")}
    identity = {"config": asked, "version": package_version() if version is None else version}
    return _digest(identity)


def cells_basis(config: Mapping[str, Any], device: str) -> str:
    """A hash, 12 hexadecimal digits, of all that a row depends on beside its cell.

    Runs of one experiment and one basis have equal rows for equal cells, even where their grids
    differ: when a grid grows, only its new cells are computed.
    """
    train = {k: v for k, v in config["train"].items() if k != "steps"}  # each cell has its steps
    basis = {
        "train": train,
        "critic": config["critic"],
        "estimator": config["estimator"],
        "n_test": config["scale"]["n_test"],
        "device": device.partition(":")[0],
        "version": package_version(),
    }
    return _digest(basis)


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:12]
