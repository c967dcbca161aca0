"""The command `python -m experiments`: reads the words of a command line, and runs its jobs.

Only this module has `@hydra.main`. A job is one experiment under one config (see `running`); a
sweep has several.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.suite.run import launchers, outlook
from experiments.suite.run.exits import BAD_INPUT, FAILED, INTERRUPTED, LOCKED, OK
from experiments.suite.run.messages import complain, warn
from experiments.suite.run.running import run_experiment
from experiments.suite.run.targets import check_folders
from experiments.suite.store.files import OutputError
from experiments.suite.store.lock import LockedError
from mine.memory import is_lack

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
_statuses: list[int] = []  # of the jobs that ran in this process
_outlooks: list[outlook.Outlook] | None = None  # of a sweep whose time alone is asked for


def command() -> int:
    """`python -m experiments`.

    Returns:
        0 done, 1 a cell or the disk failed, 2 bad input, 3 another process works on the run,
        128 + n stopped by signal n (130 by Ctrl-C, 143 by SIGTERM).
    """
    if not sys.argv[1:]:  # by Hydra alone it would begin a run of a quarter of an hour
        sys.argv.append("--help")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises errors; they are reported here  # noqa: TID251
    # Where -m stands between overrides, Hydra's parser takes those after it for unknown flags.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))
    _begin_outlook()
    _statuses.clear()
    launchers.arrived.clear()
    try:
        launchers.check(sys.argv[1:])
        check_folders(sys.argv[1:])
        main()
    except KeyboardInterrupt:
        return next((status for status in _statuses if status > 128), INTERRUPTED)
    except (ValueError, HydraException, OmegaConfBaseException) as error:
        complain(error)
        return BAD_INPUT
    except OSError as error:  # Hydra makes the output folder before a job can check it
        complain(
            OutputError(
                f"expected an output folder that can be written, got {error}: "
                "name another folder with outputs=<folder>"
            )
        )
        return BAD_INPUT
    except Exception as error:
        if not launchers.lost(error):
            raise
        complain(error)
        return FAILED
    if _outlooks:
        print(outlook.total(_outlooks))
    for status in launchers.arrived:
        if status.code:
            warn(str(status))
    return max([*_statuses, *(status.code for status in launchers.arrived)], default=OK)


def _begin_outlook() -> None:
    """Note the flag that asks for a forecast, and take it and the launcher off the words."""
    global _outlooks
    _outlooks = [] if outlook.FLAG in sys.argv else None
    if _outlooks is not None:
        dropped = (outlook.FLAG, "hydra/launcher=", "hydra.launcher.")
        sys.argv[1:] = [word for word in sys.argv[1:] if not word.startswith(dropped)]


def _forecast(config: Mapping[str, Any], found: list[outlook.Outlook]) -> int:
    if not found:
        print(outlook.HEADER)
    found.append(outlook.outlook_of(config))
    print(found[-1], flush=True)
    return OK


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="config")  # noqa: TID251
def main(config: DictConfig) -> launchers.Status:
    """One job. Its exit status is kept, not raised, so that a sweep goes on after a bad job."""
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        if _outlooks is None:
            status = run_experiment(plain, rerun_command())  # type: ignore[arg-type]
        else:
            status = _forecast(plain, _outlooks)  # type: ignore[arg-type]
    except LockedError as error:
        complain(error)
        status = LOCKED
    except Exception as error:
        known = isinstance(error, ValueError | OSError | OmegaConfBaseException)
        if not known and not is_lack(error):
            raise
        complain(error)
        status = FAILED if is_lack(error) else BAD_INPUT
    _statuses.append(status)
    if status > 128:  # a signal ends the whole sweep
        raise KeyboardInterrupt
    return launchers.Status(status, rerun_command())  # to the process that launched this one


def rerun_command() -> str:
    """The command that runs this job alone, from the overrides that Hydra recorded."""
    overrides = HydraConfig.get().overrides.task
    return shlex.join(["python", "-m", "experiments", *overrides])
