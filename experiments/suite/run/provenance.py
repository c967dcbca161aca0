"""Provenance: the code, packages, machine and device that a run's rows come from."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import subprocess  # noqa: TID251
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from experiments.suite.store.code import ROOT, code_hash
from experiments.suite.store.identity import package_version

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "matplotlib",
    "seaborn",
    "hydra-core",
    "omegaconf",
    "jinja2",
)
"""The distributions whose versions the provenance names."""


def utc_now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")  # noqa: TID251


def collect_provenance(
    *, device: str, seed: int, threads: int, arithmetic: str = "", root: Path = ROOT
) -> dict[str, Any]:
    """Where a run's rows come from, as plain data.

    Args:
        device: the device that the run uses, as torch names it.
        seed: the seed that the cells' seeds are derived from.
        threads: how many threads torch may use.
        arithmetic: see `arithmetic.arithmetic`.
        root: the checkout.

    Returns:
        git_commit and git_dirty (both None outside a checkout), code (a hash of the sources that
        make numbers), version, packages (name -> version), python, platform (system and machine,
        not the host's name), cores, arithmetic, threads, device, seed, time (UTC).
    """
    commit, dirty = git_state(root)
    return {
        "git_commit": commit,
        "git_dirty": dirty,
        "code": code_hash(),
        "version": package_version(),
        "packages": dict(_package_versions()),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "arithmetic": arithmetic,
        "threads": threads,
        "device": device,
        "seed": seed,
        "time": utc_now(),
    }


def row_origin(provenance: Mapping[str, Any]) -> dict[str, str]:
    """The columns of a row that say where it comes from: commit, code and arithmetic."""
    commit, changes = provenance["git_commit"] or "", provenance["git_dirty"]
    return {
        "commit": f"{commit}+" if commit and changes else commit,
        "code": provenance["code"],
        "arithmetic": provenance["arithmetic"],
    }


@cache
def _package_versions() -> Mapping[str, str]:
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def git_state(root: Path) -> tuple[str | None, bool | None]:
    """The commit of the checkout at `root`, and whether it has changes; None where unknown."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return None, None
    changes = _git(root, "status", "--porcelain")
    return _git(root, "rev-parse", "--verify", "HEAD"), None if changes is None else bool(changes)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # noqa: TID251
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
