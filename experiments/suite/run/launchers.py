"""Launchers: what each preset needs, and how exit statuses come back from other processes.

The jobs of a sweep run in this process, or in others by one of the presets of
configs/hydra/launcher/. Hydra brings back what a job returns, and then drops it. So a `Status`
adds itself to `arrived` when it is unpickled in this process.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass

EXTRAS = {
    "joblib": ("joblib", "hydra_plugins.hydra_joblib_launcher"),
    "submitit_local": ("slurm", "hydra_plugins.hydra_submitit_launcher"),
    "submitit_slurm": ("slurm", "hydra_plugins.hydra_submitit_launcher"),
    "slurm": ("slurm", "hydra_plugins.hydra_submitit_launcher"),
    "ray": ("ray", "hydra_plugins.hydra_ray_launcher"),
}
"""Preset -> the extra that installs its plugin, and the plugin's module."""

OVERRIDE = "hydra/launcher="

arrived: list[Status] = []
"""The statuses of jobs that ran in other processes, in the order in which they came back."""


@dataclass(frozen=True)
class Status:
    """A job's exit status, and the command that runs the job alone."""

    code: int
    command: str

    def __reduce__(self) -> tuple[object, ...]:
        return _arrive, (self.code, self.command)

    def __str__(self) -> str:
        return f"exit status {self.code} of `{self.command}`"


def _arrive(code: int, command: str) -> Status:
    status = Status(code, command)
    arrived.append(status)
    return status


def check(words: Iterable[str]) -> None:
    """Check that the launcher that a command line asks for is installed.

    Raises:
        ValueError: it is not installed; the message says how to install it.
    """
    for word in words:
        name = word.removeprefix(OVERRIDE)
        if not word.startswith(OVERRIDE) or name not in EXTRAS:
            continue
        extra, module = EXTRAS[name]
        if not installed(module):
            raise ValueError(
                f"{word} needs the extra {extra!r}, got no {module}: install it with "
                f"`pip install -e '.[{extra}]'`, or leave {OVERRIDE}... out"
            )
        _prefer_ours(name)


def _prefer_ours(name: str) -> None:
    """Remove the plugin's own config of this name: Hydra would check our preset against it and
    warn about that."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins

    Plugins.instance()  # loads the plugins, which store their configs
    ConfigStore.instance().repo["hydra"]["launcher"].pop(f"{name}.yaml", None)


def installed(module: str) -> bool:
    """Whether a module can be found, without loading it (the packages around it are loaded)."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing too
        return False


def lost(error: BaseException) -> bool:
    """Whether an error means that a launcher lost a job: killed, out of memory, a lost node."""
    return type(error).__module__.partition(".")[0] in ("joblib", "submitit", "ray")
