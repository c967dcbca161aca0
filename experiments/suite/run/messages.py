"""What a run says to the terminal: lines on stdout, errors in one line on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from experiments.suite.store.code import by_code, code_hash
from experiments.suite.store.errors import one_line, raised
from mine.memory import is_lack, lack

HELP = "`python -m experiments --help` lists all groups and keys"
log = logging.getLogger("experiments")


def say(line: str) -> None:
    """Write a line to the terminal and to the run's log."""
    print(line, flush=True)
    log.info(line)


def kept_of_other_code(codes: Mapping[str, int]) -> str:
    """', 8 of them made by other code (...) and kept'; "" where none of these cells is."""
    other = {code: n for code, n in codes.items() if code != code_hash()}
    if not other:
        return ""
    return f", {sum(other.values())} of them made by other code ({by_code(other)}) and kept"


def complain(error: BaseException) -> None:
    """Write an error to stderr in one line.

    Hydra's errors do not say where to look, and advise a `+` where a key may be misspelt, with
    which the key would be read by nothing. Errors that no message was written for say their type
    and line.
    """
    if is_lack(error):
        warn(lack(error))
    elif isinstance(error, HydraException | OmegaConfBaseException):
        text = str(error).partition("Config search path")[0].partition("To append to your config")
        warn(f"{' '.join(text[0].split())}: {HELP}")
    elif isinstance(error, ValueError | OSError) and str(error):
        warn(one_line(error))
    else:
        warn(raised(error))


def warn(line: str) -> None:
    """Write a line to stderr."""
    print(f"experiments: {line}", file=sys.stderr, flush=True)
