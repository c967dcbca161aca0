"""Which classes a config may name, and the check of config folders from elsewhere.

`jobs.build` makes the objects that a config names. Hydra makes some itself before a job begins:
its launcher, sweeper, callbacks and log handlers. So a config folder from elsewhere
(`--config-dir`, `--config-path`) is checked before Hydra reads it: its files may name classes of
this project, of torch.optim, of Hydra and of Hydra's plugins, and nothing else.
"""

from __future__ import annotations

import argparse
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml

from experiments.suite.store.errors import one_line
from experiments.suite.store.serialising import read_yaml

TARGETS = ("mine.", "experiments.", "torch.optim.")
"""The packages whose classes a config may name; nothing else is imported."""

MOVED = {
    "experiments.image_data.ImageData": "experiments.images.data.ImageData",
    "mine.convolutional.Convolutional": "mine.critics.convolutional.Convolutional",
    "mine.images.TopRows": "experiments.images.tasks.TopRows",
}
"""The name of a class in configs -> the place where the class stands now. A run's id and a cell's
samples are derived from the name in its config: the name stays when the class moves."""

HYDRAS = ("hydra.", "hydra_plugins.")
HERE = Path(__file__).resolve().parent


class ConfigError(ValueError):
    """A config that cannot be run: the message says what was expected, what came, what to do."""


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
    """Plain data in which every `_target_` names the place where its class stands now."""
    if isinstance(config, Mapping):
        return {
            key: MOVED.get(value, value) if key == "_target_" else located(value)
            for key, value in config.items()
        }
    return [located(value) for value in config] if isinstance(config, list) else config


def check_target(target: str, allowed: tuple[str, ...] = TARGETS) -> None:
    """Check that a config may name this target: a class, defined in one of these packages.

    experiments.suite.store.files.os.system is refused: it is defined elsewhere.
    experiments.suite.report.command.main is refused: it is no class, and could write anywhere.

    Raises:
        ConfigError: a config may not name it.
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
    """Check every file of the config folders that a command line names.

    Raises:
        ConfigError: a file names a target that is not allowed, or cannot be read.
    """
    for folder in folders(words):
        for path in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
            try:
                check_file(read_yaml(path.read_bytes()))
            except ConfigError as error:
                raise ConfigError(f"{path}: {error}") from error
            except (OSError, ValueError, yaml.YAMLError) as error:
                reason = one_line(error)
                raise ConfigError(f"{path}: expected a config, got {reason}: mend it") from error


def check_file(config: Any) -> None:
    """Raise a ConfigError where a config would make Hydra run foreign code."""
    for key, value in pairs(config):
        if key == "_target_":
            check_target(str(value), (*TARGETS, *HYDRAS))
        # logging's configs make objects by the first two; searchpath adds folders not checked.
        elif key in ("()", "searchpath") or (
            key == "class" and not str(value).startswith("logging.")
        ):
            raise ConfigError(
                f"a config from elsewhere must leave {key!r} alone, got {value!r}: leave it out"
            )


def folders(words: Sequence[str]) -> list[Path]:
    """The config folders that a command line names, found as Hydra finds them."""
    parser = _Parser(add_help=False)
    for names in (("--config-dir", "-cd"), ("--config-path", "-cp"), ("--config-name", "-cn")):
        parser.add_argument(*names, action="append", default=[])
    parser.add_argument("--cfg", "-c")
    try:
        asked = parser.parse_known_args(words)[0]
    except ValueError:
        return []  # Hydra reports the error
    named = [Path(text) for text in (*asked.config_dir, *asked.config_path)]
    return [found for one in named for found in (one, HERE / one) if found.is_dir()]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)
