"""What a run says to the terminal: lines on stdout, errors in one line on stderr."""

from __future__ import annotations

import logging
import sys

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

HELP = "`python -m experiments --help` lists all groups and keys"
log = logging.getLogger("experiments")


def say(line: str) -> None:
    """Write a line to the terminal and to the run's log."""
    print(line, flush=True)
    log.info(line)


def complain(error: BaseException) -> None:
    """Write an error to stderr in one line. Hydra's errors do not say where to look: add it."""
    message = " ".join(str(error).partition("Config search path")[0].split())
    hint = f": {HELP}" if isinstance(error, HydraException | OmegaConfBaseException) else ""
    warn(f"{message}{hint}")


def warn(line: str) -> None:
    """Write a line to stderr."""
    print(f"experiments: {line}", file=sys.stderr, flush=True)
