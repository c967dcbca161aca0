"""Configs from elsewhere, by `--config-dir` or `--config-path`: looked through before Hydra is.

What a config names is made by the runner's `build`, or by Hydra itself, which makes its launcher,
sweeper, callbacks and log handlers before a job begins. So a file from elsewhere may name classes
of this project, of torch.optim, of Hydra and of its plugins, and nothing else.
"""

from __future__ import annotations

import argparse
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml

from experiments.suite.store import runs as store

TARGETS = ("mine.", "experiments.", "torch.optim.")
"""What a config may name: nothing else is ever imported on a config's word."""

MOVED = {
    "experiments.image_data.ImageData": "experiments.images.data.ImageData",
    "mine.convolutional.Convolutional": "mine.critics.convolutional.Convolutional",
    "mine.images.TopRows": "experiments.images.tasks.TopRows",
}
"""Names under which a class was first run -> where it stands now. A run's identity and a cell's
samples are derived from the name in its config, so that a class keeps it when it moves."""

HYDRAS = ("hydra.", "hydra_plugins.")
HERE = Path(__file__).resolve().parent


class ConfigError(ValueError):
    """A config that cannot be run; the message says what was expected, what came, what to do."""


def targets(config: Any) -> Iterator[str]:
    """Every `_target_` of plain data, however deep."""
    for key, value in pairs(config):
        if key == "_target_":
            yield str(value)


def pairs(config: Any) -> Iterator[tuple[Any, Any]]:
    """Every key with its value, however deep."""
    if isinstance(config, Mapping):
        yield from config.items()
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from pairs(value)


def located(config: Any) -> Any:
    """Plain data with every `_target_` under the name where it stands now."""
    if isinstance(config, Mapping):
        return {
            key: MOVED.get(value, value) if key == "_target_" else located(value)
            for key, value in config.items()
        }
    return [located(value) for value in config] if isinstance(config, list) else config


def check_target(target: str, allowed: tuple[str, ...] = TARGETS) -> None:
    """Whether a config may name it: a class, defined in one of these packages.

    experiments.suite.store.runs.os.system begins well and is none of ours;
    experiments.suite.report.command.main is ours, and writes where its arguments say.

    Raises:
        ConfigError: it may not.
    """
    found = _named(target) if target.startswith(allowed) else None
    if not f"{getattr(found, '__module__', None)}.".startswith(allowed):
        raise ConfigError(
            f"_target_ must begin with one of {', '.join(allowed)}, got {target!r}: "
            "put your class into one of these packages"
        )
    if not isinstance(found, type):
        raise ConfigError(
            f"_target_ must name a class, got {target!r}: make one whose fields are the config's"
        )


def _named(target: str) -> Any:
    try:
        return pkgutil.resolve_name(MOVED.get(target, target))
    except (AttributeError, ImportError, ValueError) as error:
        raise ConfigError(
            f"_target_ must name a class that is there, got {target!r}: {error}"
        ) from error


def check_folders(words: Sequence[str]) -> None:
    """Looks through the config folders that a command line names.

    Raises:
        ConfigError: one of their files names what it may not, or cannot be read.
    """
    for folder in folders(words):
        for path in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
            try:
                check_file(store.read_yaml(path.read_bytes()))
            except ConfigError as error:
                raise ConfigError(f"{path}: {error}") from error
            except (OSError, ValueError, yaml.YAMLError) as error:
                reason = " ".join(str(error).split())
                raise ConfigError(f"{path}: expected a config, got {reason}: mend it") from error


def check_file(config: Any) -> None:
    """Raises a ConfigError where plain data would have code run."""
    for key, value in pairs(config):
        if key == "_target_":
            check_target(str(value), (*TARGETS, *HYDRAS))
        # What logging's own configs make objects by, and a way to folders not looked through.
        elif key in ("()", "searchpath") or (
            key == "class" and not str(value).startswith("logging.")
        ):
            raise ConfigError(
                f"a config from elsewhere must leave {key!r} alone, got {value!r}: leave it out"
            )


def folders(words: Sequence[str]) -> list[Path]:
    """The config folders that a command line names, as Hydra would understand it."""
    parser = _Parser(add_help=False)
    for names in (("--config-dir", "-cd"), ("--config-path", "-cp"), ("--config-name", "-cn")):
        parser.add_argument(*names, action="append", default=[])
    parser.add_argument("--cfg", "-c")
    try:
        asked = parser.parse_known_args(words)[0]
    except ValueError:
        return []  # Hydra will say so
    named = [Path(text) for text in (*asked.config_dir, *asked.config_path)]
    return [found for one in named for found in (one, HERE / one) if found.is_dir()]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)
