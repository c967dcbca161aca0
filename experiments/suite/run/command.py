"""The runner: config -> cells -> jobs -> rows. `python -m experiments experiment=gaussian`.

The only place that turns cells into tasks and estimators, that reads the clock, git and the
environment, and that knows Hydra. A run that is there already is found; one that was stopped goes
on where it was, to the same bits; a cell that raises becomes a row that says why.
"""

from __future__ import annotations

import importlib
import json
import logging
import math
import os
import shlex
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.suite.claims.wording import duration
from experiments.suite.grid import shards
from experiments.suite.grid.cells import UNTRAINED, Cell, merged
from experiments.suite.run import launchers as launching
from experiments.suite.run import signals, sinks
from experiments.suite.run import targets as foreign
from experiments.suite.run.tally import Tally, truth_of
from experiments.suite.run.targets import ConfigError
from experiments.suite.store import lock
from experiments.suite.store import runs as store
from experiments.suite.store.checkpoints import Checkpoints

if TYPE_CHECKING:
    from mine.running.estimates import Estimate
    from mine.running.jobs import Job
    from mine.running.workers import Care, Failure

    Ended = tuple[int, Estimate | Failure, float]
    """A job, what came of it, and its seconds."""

log = logging.getLogger("experiments")

LEAST = {
    "scale.seeds": 1,
    "scale.n_test": 2,
    "scale.ksg_n": 2,
    "estimator.partners": 1,
    "estimator.k": 1,
}
"""Whole numbers that no task, training or critic checks, and the least that each can be."""

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
HELP = "`python -m experiments --help` lists all groups and keys"
OK, FAILED, BAD_INPUT, LOCKED, INTERRUPTED = 0, 1, 2, 3, 130
STATUS_SECONDS = 10.0  # between two writes of a running run's status
_statuses: list[int] = []  # of this process's jobs: a sweep goes on past one that went wrong


# ------------------------------------------------------------- config to jobs


def build(config: Any) -> Any:
    """`instantiate`, for the targets that are allowed."""
    for target in foreign.targets(config):
        foreign.check_target(target)
    try:
        return hydra.utils.instantiate(foreign.located(config), _convert_="all")
    except HydraException as error:
        raise ConfigError(_reason(error)) from error


@cache
def _built(config: str) -> Any:
    """`build` from JSON, once: a grid names its few tasks and trainings many times over."""
    return build(json.loads(config))


def _reason(error: BaseException) -> str:
    """The message of what a constructor raised, without Hydra's frame around it."""
    cause = error.__cause__ or error
    message = " ".join(str(cause).split())
    return (
        message if isinstance(cause, ValueError) else f"{type(cause).__name__}: {message}: {HELP}"
    )


def check(config: Mapping[str, Any]) -> None:
    """What neither tasks nor training nor critics look at."""
    for group in ("train", "critic"):
        if "_target_" not in config[group]:
            raise ConfigError(f"{group} must name its _target_, got none: use {group}=default")
    for key in ("device", "outputs"):
        if config[key] in (None, ""):
            raise ConfigError(f"{key} must have a value, got none: {HELP}")
    for name, least in LEAST.items():
        group, key = name.split(".")
        value = config[group][key]
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(
                f"{name} must be a whole number >= {least}, got {value!r}: "
                f"give it one, such as {name}={max(least, 5)}"
            )
    for name, value, meaning in (
        ("estimator.split", config["estimator"]["split"], "judges methods on rows of one's own"),
        ("figures", config["figures"], "draws them when the run ends"),
    ):
        if not isinstance(value, bool):
            raise ConfigError(f"{name} must be true or false, got {value!r}: true {meaning}")
    for key, none in (("checkpoint_seconds", False), ("time_limit", True)):
        value = config[key]
        number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        if not (number or (none and value is None)):
            raise ConfigError(
                f"{key} must be a number of seconds above 0{' or null' if none else ''}, got "
                f"{value!r}: give it one, such as {key}=30"
            )
    experiment = config["experiment"]
    for key, value in experiment.items():
        if value == [] or (key == "methods" and not isinstance(value, list)):
            raise ConfigError(
                f"experiment.{key} must be a list of one or more values, got {value!r}: "
                f"write 'experiment.{key}=[...]'"
            )
    for role, panel in experiment["panels"].items():
        for key in ("steps", "seeds"):
            if not 0 < panel[key] < math.inf:
                raise ConfigError(
                    f"experiment.panels.{role}.{key} must be a factor above 0, got {panel[key]}: "
                    f"leave the panel out with '~experiment.panels.{role}'"
                )


def prepare(config: Mapping[str, Any]) -> tuple[list[Cell], list[Job]]:
    """The cells that a config asks for, each once, and what runs them.

    Raises:
        ValueError: the config is not one that can be run.
    """
    try:
        check(config)
        build(config["train"])  # a mistake there is said before the grid is made
        module = load(str(config["experiment"]["name"]))
        cells = list({cell.key: cell for cell in module.cells(config)}.values())
    except ConfigError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise ConfigError(
            f"the config must have the keys and types of configs/, got {type(error).__name__}: "
            f"{error} ({Path(where.filename).name}:{where.lineno}): compare yours with the one "
            "that `python -m experiments --cfg job` shows"
        ) from error
    if not cells:
        raise ConfigError("experiment.panels must hold at least one panel, got none: name one")
    cells = shards.share(cells, config)
    return cells, [job_of(cell, config) for cell in cells]


def job_of(cell: Cell, config: Mapping[str, Any]) -> Job:
    """What a cell asks for, ready to run. Its data depend on its task and seed alone."""
    from mine.running.jobs import Job

    config = merged(config, cell.overrides)
    if config["estimator"]["split"]:
        return own_rows_job(cell, config)
    steps = {} if cell.method in UNTRAINED else {"steps": cell.steps}
    task, training, critic = (
        _built(json.dumps(one, sort_keys=True))
        for one in (located(cell.task, config), {**config["train"], **steps}, config["critic"])
    )
    return Job(
        data=task,
        method=cell.method,
        seed=cell.seed,
        key=data_key(cell),
        training=training,
        critic=critic,
        n=cell.n,
        n_test=config["scale"]["n_test"],
        partners=config["estimator"]["partners"],
        k=config["estimator"]["k"],
    )


def own_rows_job(cell: Cell, config: Mapping[str, Any]) -> Job:
    """What `mine.estimate` would do with n rows of the task, in no more steps than the cell's."""
    from mine.estimators.estimate import task_job

    if not cell.n:
        raise ConfigError(
            "estimator.split needs rows to split, got experiment.n=0: give their number, such as "
            "experiment.n=5000"
        )
    task, options = _built(json.dumps(cell.task, sort_keys=True)), config["estimator"]
    job = task_job(task, cell.n, cell.method, cell.seed, data_key(cell), cell.steps)
    return replace(job, partners=options["partners"], k=options["k"])


def data_key(cell: Cell) -> str:
    """What the cell's samples are derived from, with its seed."""
    return json.dumps([cell.task, cell.role], sort_keys=True)


def located(task: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A task that names its data set gets it, from this run's cache; another is as it was."""
    if "data" not in task:
        return task
    cache = str(Path(str(config["outputs"])) / "cache")
    return {**task, "data": {**config["data"], "cache": cache}}


def fetch(jobs: Iterable[Job]) -> None:
    """Brings what the jobs' data sets lack on this machine.

    Raises:
        ValueError: it cannot be had, and why.
    """
    for data in dict.fromkeys(getattr(job.data, "data", None) for job in jobs):
        if data is not None:
            data.fetch()


def load(name: str) -> Any:
    """The module of an experiment."""
    try:
        return importlib.import_module(f"experiments.{name}")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"experiment.name must be a module of experiments/, got {name!r}: {error}"
        ) from None


# ----------------------------------------------------------------------- a run


def run_experiment(config: Mapping[str, Any], command: str) -> int:
    """One experiment under one resolved config. Returns the exit status.

    Raises:
        ValueError: the config cannot be run.
        OSError: nor can anything be written. In both cases nothing has been.
    """
    from mine.running.workers import resolve_device

    cap_threads(config.get("threads"))
    sinks.check(config.get("sinks", []))
    cells, jobs = prepare(config)
    device = str(resolve_device(str(config["device"])))
    outputs = Path(str(config["outputs"]))
    store.check_outputs(outputs)
    fetch(jobs)
    run = store.Run.create(outputs, str(config["experiment"]["name"]), config)
    if not run.finished:
        with lock.held(run.folder / "lock.json", time.time), logging_to(run.log):
            if not run.finished:
                return sit_down(run, cells, jobs, config, device, command)
    say(f"{run.experiment} {run.run_id}: finished before, {len(cells)} cells in {run.folder}")
    return OK


def sit_down(
    run: store.Run,
    cells: Sequence[Cell],
    jobs: Sequence[Job],
    config: Mapping[str, Any],
    device: str,
    command: str,
) -> int:
    """Works on a run until it is done or has to stop. Returns the exit status."""
    from mine.running.workers import Stopped

    tally = Tally.resume(run, cells, config, command)
    with signals.noted() as noted:
        try:
            tally.adopt(store.siblings(run, store.cells_basis(config, device)))
            status = sit(tally, jobs, device, noted)
            sinks.write(config["sinks"], run, config, tally.rows.values(), tally.curves)
            if noted:  # while it was drawn or copied: a sweep must not go on to its next job
                say(f"stopped by {noted.name}: the run was at its end, and is whole")
                return noted.status
            return status
        except (Stopped, KeyboardInterrupt):
            noted.number = noted.number or signal.SIGINT
            tally.write("stopped")
            say(
                f"stopped by {noted.name}: {len(tally.rows)} of {len(cells)} cells are kept in "
                f"{run.folder}; the same command goes on from there"
            )
            return noted.status
        except Exception as error:
            log.exception("the run stopped")
            complain(error)
            with suppress(OSError):
                tally.write_status("failed")
            return FAILED


def cap_threads(threads: Any) -> None:
    """How many threads torch may use, and so how many stacks run side by side; None for all."""
    if threads is None:
        return
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ConfigError(
            f"threads must be a whole number >= 1 or null, got {threads!r}: "
            "give each job cores / jobs, such as threads=2"
        )
    import torch

    torch.set_num_threads(threads)


def sit(tally: Tally, jobs: Sequence[Job], device: str, noted: signals.Noted) -> int:
    """Computes the cells that the tally lacks, to the end. Returns the exit status."""
    import torch

    from mine.running.jobs import network_steps, plan
    from mine.running.workers import Care

    keeper = Checkpoints(
        tally.run.folder / "checkpoints",
        [cell.key for cell in tally.cells],
        float(tally.config["checkpoint_seconds"]),
        time.monotonic,
    )
    missing = [i for i, cell in enumerate(tally.cells) if cell.key not in tally.rows]
    todo = keeper.stacks(missing)  # as they were dealt before
    new = sorted(set(missing).difference(*todo))
    todo += [tuple(new[i] for i in stack) for stack in plan([jobs[i] for i in new], device)]
    keeper.deal(todo)
    tally.steps = network_steps(jobs[i] for stack in todo for i in stack)
    seed = int(tally.config["experiment"].get("first_seed", 0))
    tally.provenance = store.collect_provenance(
        device=device, seed=seed, threads=torch.get_num_threads()
    )
    tally.run.write_provenance(tally.provenance)
    todo, cost = longest_first(jobs, todo, device)
    announce(tally, len(todo), cost, device)
    tally.write("running")
    limit = tally.config["time_limit"]
    care = Care(
        keeper, lambda: bool(noted), math.inf if limit is None else float(limit), time.monotonic
    )
    compute(jobs, todo, tally, device, care, keeper)
    keeper.clear()
    return finish(tally)


def longest_first(
    jobs: Sequence[Job], todo: Sequence[tuple[int, ...]], device: str
) -> tuple[list[tuple[int, ...]], str]:
    """The stacks by their forecast, so that those that end last leave no core idle for long, and
    in words the time that they take; as they came where the forecast fails."""
    from mine.running.workers import forecast, makespan, resolve_device, workers_for

    try:
        found = zip(forecast(jobs, todo, time.perf_counter, device), todo, strict=True)
        ordered = sorted(found, key=lambda one: one[0], reverse=True)
        workers = workers_for(len(todo), resolve_device(device))
        cost = duration(makespan((seconds for seconds, _ in ordered), workers), "whole")
        return [stack for _, stack in ordered], f"about {cost}"
    except Exception as error:  # the row of the cell that raised will say so again
        return list(todo), f"for an unknown time ({type(error).__name__} while trying it)"


def announce(tally: Tally, stacks: int, cost: str, device: str) -> None:
    """Says what the run will do and cost, and where `critic` is not what is trained."""
    for role, panel in tally.config["experiment"]["panels"].items():
        if panel.get("critic"):
            own = ", ".join(f"{key}={value}" for key, value in panel["critic"].items())
            say(f"panel {role} has a critic of its own: {own} (experiment.panels.{role}.critic)")
    kept = f", {len(tally.rows)} kept from before" if tally.rows else ""
    say(
        f"{tally.run.experiment} {tally.run.run_id}: {len(tally.cells)} cells{kept}, "
        f"{stacks} stacks, {tally.steps:,} network-steps on {device}, {cost}"
    )


def compute(
    jobs: Sequence[Job],
    todo: Sequence[tuple[int, ...]],
    tally: Tally,
    device: str,
    care: Care,
    keeper: Checkpoints,
) -> None:
    """Runs the stacks; writes the rows of each when all of it has ended.

    Not of a part of it: whoever takes the run up again would train the rest in a smaller stack,
    and a single cell's last digits would be others.

    Raises:
        Stopped: a signal came.
    """
    from tqdm import tqdm

    from mine.running.workers import Advance, Began, Halved, run

    stack_of = {i: stack for stack in todo for i in stack}
    ended: dict[tuple[int, ...], list[Ended]] = {stack: [] for stack in todo}
    began: dict[int, tuple[float, int]] = {}
    errors: dict[int, float] = {}
    with tqdm(
        desc=tally.run.experiment, total=tally.steps, unit="step", unit_scale=True, disable=None,
        smoothing=0.05,
    ) as bar:  # fmt: skip
        for news in run(jobs, device, stacks=todo, care=care):
            if isinstance(news, Began):
                began |= dict.fromkeys(news.jobs, (time.monotonic(), len(news.jobs)))
            elif isinstance(news, Advance):
                tally.steps_done += news.steps * len(news.jobs)
                bar.update(news.steps * len(news.jobs))
                for i, value in zip(news.jobs, news.values, strict=True):
                    errors[i] = abs(value - truth_of(jobs[i]))
                bar.set_postfix_str(mean_error(errors))
                if time.monotonic() - tally.written > STATUS_SECONDS:
                    tally.write_status("running")
            elif isinstance(news, Halved):
                log.info("a stack of %d cells was halved: %s", len(news.jobs), news.reason)
                tally.halved.append({"cells": len(news.jobs), "reason": news.reason[:500]})
            else:
                start, neighbours = began[news.job]
                seconds = (time.monotonic() - start) / neighbours
                stack = stack_of[news.job]
                ended[stack].append((news.job, news.outcome, seconds))
                if len(ended[stack]) == len(stack):
                    for i, outcome, spent in ended.pop(stack):
                        tally.add(i, jobs[i], outcome, spent, device)
                    tally.write("running")
                    keeper.discard(stack)


def mean_error(errors: Mapping[int, float]) -> str:
    """Of the training values so far, for the bar."""
    finite = [e for e in errors.values() if math.isfinite(e)]
    return f"mean error {sum(finite) / len(finite):.3f} nats" if finite else ""


def finish(tally: Tally) -> int:
    """The figures, the last write, and the exit status."""
    if tally.config["figures"]:
        from experiments.suite.figures.drawing import draw_run

        draw_run(tally.run)
    counts = tally.counts()
    tally.write("failed" if counts["failed"] else "finished")
    reasons = Counter(row["reason"] for row in tally.rows.values() if row["status"] == "failed")
    for reason, cells in reasons.items():
        print(f"experiments: {cells} failed: {reason}", file=sys.stderr, flush=True)
    say(
        f"{tally.run.experiment} {tally.run.run_id}: {counts['ok']} ok, "
        f"{counts['diverged']} diverged, {counts['failed']} failed, in "
        f"{duration(time.monotonic() - tally.clock, 'whole')}: {tally.run.folder}"
    )
    return FAILED if counts["failed"] else OK


def say(line: str) -> None:
    """To the terminal and the run's log."""
    print(line, flush=True)
    log.info(line)


class LogFile(logging.FileHandler):
    """A log that is given up where the disk is full: whoever writes the rows says so."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with suppress(OSError):
            super().close()


class Warnings(logging.StreamHandler):  # type: ignore[type-arg]
    """Says warnings on stderr, in one line each; errors are said by `complain`."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("experiments: %(message)s"))
        self.addFilter(lambda record: record.levelno == logging.WARNING)


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Sends this package's and mine's logs to the run's file for a while."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handlers = [LogFile(path, delay=True), Warnings()]
    handlers[0].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger(name) for name in ("experiments", "mine")]
    for logger in loggers:
        logger.setLevel(logging.INFO)
        for handler in handlers:
            logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            for logger in loggers:
                logger.removeHandler(handler)
            handler.close()


# -------------------------------------------------------------------- command


def rerun_command() -> str:
    """The exact command for this run, from the overrides that Hydra recorded."""
    overrides = HydraConfig.get().overrides.task
    return shlex.join(["python", "-m", "experiments", *overrides])


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="config")
def main(config: DictConfig) -> launching.Status:
    """One job. Its exit status is kept, not raised: a sweep goes on past a job that went wrong."""
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        status = run_experiment(plain, rerun_command())  # type: ignore[arg-type]
    except lock.LockedError as error:
        complain(error)
        status = LOCKED
    except (ValueError, OSError, OmegaConfBaseException) as error:
        complain(error)
        status = BAD_INPUT
    _statuses.append(status)
    if status > 128:  # a signal ends the whole sweep
        raise KeyboardInterrupt
    return launching.Status(status, rerun_command())  # to the process that launched this one


def complain(error: BaseException) -> None:
    """One line on stderr. Hydra's own messages tell what was expected, not where to look."""
    message = " ".join(str(error).partition("Config search path")[0].split())
    hint = f": {HELP}" if isinstance(error, HydraException | OmegaConfBaseException) else ""
    print(f"experiments: {message}{hint}", file=sys.stderr, flush=True)


def command() -> int:
    """`python -m experiments`.

    Returns:
        0 done, 1 a cell or the disk failed, 2 bad input, 3 another process works on it, 128 + n
        stopped by signal n (130 by Ctrl-C, 143 by SIGTERM).
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come here as they are, to be said in one line
    # Where -m stands between overrides, Hydra's parser takes those after it for unknown flags.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))
    _statuses.clear()
    launching.arrived.clear()
    try:
        launching.check(sys.argv[1:])
        foreign.check_folders(sys.argv[1:])
        main()
    except KeyboardInterrupt:
        return next((status for status in _statuses if status > 128), INTERRUPTED)
    except (ValueError, HydraException, OmegaConfBaseException) as error:
        complain(error)
        return BAD_INPUT
    except OSError as error:  # Hydra makes the output folder before a job can look at it
        complain(
            store.OutputError(
                f"expected an output folder that can be written, got {error}: "
                "name another folder with outputs=<folder>"
            )
        )
        return BAD_INPUT
    except Exception as error:
        if not launching.lost(error):
            raise
        complain(error)
        return FAILED
    for status in launching.arrived:
        if status.code:
            print(f"experiments: {status}", file=sys.stderr, flush=True)
    return max([*_statuses, *(status.code for status in launching.arrived)], default=OK)
