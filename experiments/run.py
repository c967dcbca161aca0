"""The runner: config -> cells -> jobs -> rows. `python -m experiments experiment=gaussian`.

The only place that turns cells into tasks and estimators, that reads the clock, git and the
environment, and that knows Hydra. A run that is there already is found; one that was stopped goes
on with the cells that it lacks; a cell that raises becomes a row that says why.
"""

from __future__ import annotations

import importlib
import json
import logging
import math
import os
import pkgutil
import shlex
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments import store
from experiments.cells import UNTRAINED, Cell

if TYPE_CHECKING:
    from mine.evaluation import Estimate
    from mine.jobs import Job
    from mine.running import Failure

log = logging.getLogger("experiments")

TARGETS = ("mine.", "experiments.", "torch.optim.")
"""What a config may name: nothing else is ever imported on a config's word."""

LEAST = {
    "scale.seeds": 1,
    "scale.n_test": 2,
    "scale.ksg_n": 2,
    "estimator.partners": 1,
    "estimator.k": 1,
}
"""Whole numbers that no task, training or critic checks, and the least that each can be."""

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
HELP = "`python -m experiments --help` lists all groups and keys"
OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
_statuses: list[int] = []  # of this process's jobs: a sweep goes on past one that went wrong


class ConfigError(ValueError):
    """A config that cannot be run; the message says what was expected, what came, what to do."""


# ------------------------------------------------------------- config to jobs


def build(config: Any) -> Any:
    """`instantiate`, for the targets that are allowed."""
    for target in _targets(config):
        if not (target.startswith(TARGETS) and _home(target).startswith(TARGETS)):
            raise ConfigError(
                f"_target_ must begin with one of {', '.join(TARGETS)}, got {target!r}: "
                "put your class into one of these packages"
            )
    try:
        return hydra.utils.instantiate(config, _convert_="all")
    except HydraException as error:
        raise ConfigError(_reason(error)) from error


@cache
def _built(config: str) -> Any:
    """`build` from JSON, once: a grid names its few tasks and trainings many times over."""
    return build(json.loads(config))


def _home(target: str) -> str:
    """Where a target is defined: experiments.store.os.system begins well and is none of ours."""
    try:
        found = pkgutil.resolve_name(target)
    except (AttributeError, ImportError, ValueError) as error:
        raise ConfigError(
            f"_target_ must name a class that is there, got {target!r}: {error}"
        ) from error
    return f"{getattr(found, '__module__', None)}."


def _targets(config: Any) -> Iterator[str]:
    if isinstance(config, Mapping):
        if "_target_" in config:
            yield str(config["_target_"])
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _targets(value)


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
    return cells, [job_of(cell, config) for cell in cells]


def job_of(cell: Cell, config: Mapping[str, Any]) -> Job:
    """What a cell asks for, ready to run. Its data depend on its task and seed alone."""
    from mine.jobs import Job

    steps = {} if cell.method in UNTRAINED else {"steps": cell.steps}
    task, training, critic = (
        _built(json.dumps(one, sort_keys=True))
        for one in (cell.task, {**config["train"], **steps}, config["critic"])
    )
    return Job(
        data=task,
        method=cell.method,
        seed=cell.seed,
        key=json.dumps([cell.task, cell.role], sort_keys=True),
        training=training,
        critic=critic,
        n=cell.n,
        n_test=config["scale"]["n_test"],
        partners=config["estimator"]["partners"],
        k=config["estimator"]["k"],
    )


def load(name: str) -> Any:
    """The module of an experiment."""
    try:
        return importlib.import_module(f"experiments.{name}")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"experiment.name must be a module of experiments/, got {name!r}: {error}"
        ) from None


# --------------------------------------------------------------- rows of cells


def row_of(
    cell: Cell, job: Job, outcome: Estimate | Failure, run: store.Run, seconds: float, device: str
) -> dict[str, Any]:
    """The row of a cell that has ended, whatever happened to it."""
    from mine.evaluation import Estimate

    row = {
        "experiment": run.experiment,
        "run_id": run.run_id,
        "key": cell.key,
        "role": cell.role,
        "task": cell.task["_target_"].rpartition(".")[2],
        "params": json.dumps({k: v for k, v in cell.task.items() if k != "_target_"}),
        "dim": job.sizes()[1],
        "method": cell.method,
        "seed": cell.seed,
        "steps": cell.steps,
        "truth": job.data.mi,  # type: ignore[union-attr]
        "seconds": seconds,
        "device": device,
    }
    if not isinstance(outcome, Estimate):
        return {
            **row,
            "n_train": 0,
            "n_test": 0,
            "nats": math.nan,
            "stderr": math.nan,
            "train_nats": math.nan,
            "status": "failed",
            "reason": outcome.reason.partition("\n")[0],  # run.log has all of it
            "step_diverged": -1,
            "warnings": "",
        }
    diverged = outcome.diverged_at >= 0 or not math.isfinite(outcome.nats)
    return {
        **row,
        "n_train": outcome.n_train,
        "n_test": outcome.n_test,
        "nats": outcome.nats,
        "stderr": outcome.stderr,
        "train_nats": outcome.train_nats,
        "status": "diverged" if diverged else "ok",
        "reason": outcome.warnings[0] if diverged else "",
        "step_diverged": outcome.diverged_at,
        "warnings": "; ".join(outcome.warnings),
    }


# ----------------------------------------------------------------------- a run


@dataclass
class Tally:
    """What a run has so far: rows and curves by the cell's key, in the order of the cells."""

    run: store.Run
    cells: Sequence[Cell]
    rows: dict[str, dict[str, Any]]
    curves: dict[str, list[dict[str, Any]]]
    started: str
    command: str
    spent: float  # seconds of earlier sittings
    clock: float

    @classmethod
    def resume(cls, run: store.Run, cells: Sequence[Cell], command: str) -> Tally:
        """Takes up the rows that an earlier sitting finished; failed cells are tried again."""
        keys = {cell.key for cell in cells}
        rows, curves, spent = {}, {}, 0.0
        try:
            old = run.read_rows()
            found = old[old["key"].isin(keys) & (old["status"] != "failed")]
            rows = {row["key"]: row for row in found.to_dict("records")}
            points = run.read_curves().groupby("key")
            curves = {key: some.to_dict("records") for key, some in points if key in rows}
            spent = float(run.read_status().get("seconds", 0.0)) if rows else 0.0
        except store.CorruptRunError as error:
            if (run.folder / "rows.parquet").exists():
                log.warning("what the run had cannot be read and is computed again: %s", error)
            rows, curves = {}, {}
        return cls(run, cells, rows, curves, store.utc_now(), command, spent, time.monotonic())

    def add(
        self, i: int, job: Job, outcome: Estimate | Failure, seconds: float, device: str
    ) -> None:
        """The row and the curve of a cell that has ended, unless they are kept from before."""
        from mine.evaluation import Estimate

        cell = self.cells[i]
        if cell.key in self.rows:
            return
        self.rows[cell.key] = row_of(cell, job, outcome, self.run, seconds, device)
        if isinstance(outcome, Estimate):
            self.curves[cell.key] = [
                {"key": cell.key, "step": s, "train_nats": v} for s, v in outcome.curve
            ]
        else:
            log.error("cell %s failed: %s", cell.key, outcome.reason)

    def write(self, state: str) -> None:
        """Rows, curves and status, each whole or not at all."""
        ordered = [cell.key for cell in self.cells if cell.key in self.rows]
        points = [point for key in ordered for point in self.curves.get(key, ())]
        self.run.write_rows(store.row_frame(self.rows[key] for key in ordered))
        self.run.write_curves(store.curve_frame(points))
        self.write_status(state)

    def write_status(self, state: str) -> None:
        counts = self.counts()
        self.run.write_status(
            {
                "state": state,
                "cells": len(self.cells),
                "done": len(self.rows),
                "failed": counts["failed"],
                "diverged": counts["diverged"],
                "seconds": round(self.spent + time.monotonic() - self.clock, 3),
                "command": self.command,
                "started": self.started,
                "updated": store.utc_now(),
            }
        )

    def counts(self) -> dict[str, int]:
        found = [row["status"] for row in self.rows.values()]
        return {status: found.count(status) for status in ("ok", "diverged", "failed")}


def run_experiment(config: Mapping[str, Any], command: str) -> int:
    """One experiment under one resolved config. Returns the exit status.

    Raises:
        ValueError: the config cannot be run.
        OSError: nor can anything be written. In both cases nothing has been.
    """
    from mine.running import resolve_device

    cells, jobs = prepare(config)
    device = str(resolve_device(str(config["device"])))
    outputs = Path(str(config["outputs"]))
    store.check_outputs(outputs)
    run = store.Run.create(outputs, str(config["experiment"]["name"]), config)
    if run.finished:
        say(f"{run.experiment} {run.run_id}: finished before, {len(cells)} cells in {run.folder}")
        return OK
    with logging_to(run.log):
        tally = Tally.resume(run, cells, command)
        try:
            return sit(tally, jobs, device, int(config["experiment"].get("first_seed", 0)))
        except KeyboardInterrupt:
            tally.write("running")
            say(
                f"stopped: {len(tally.rows)} of {len(cells)} cells are kept in {run.folder}; "
                "the same command goes on from there"
            )
            return INTERRUPTED
        except Exception as error:
            log.exception("the run stopped")
            complain(error)
            with suppress(OSError):
                tally.write_status("failed")
            return FAILED


def sit(tally: Tally, jobs: Sequence[Job], device: str, seed: int) -> int:
    """Computes the cells that the tally lacks, to the end. Returns the exit status."""
    from mine.jobs import network_steps, plan

    missing = {i for i, cell in enumerate(tally.cells) if cell.key not in tally.rows}
    todo = [stack for stack in plan(jobs, device) if not missing.isdisjoint(stack)]
    steps = network_steps(jobs[i] for stack in todo for i in stack)
    tally.run.write_provenance(store.collect_provenance(device=device, seed=seed))
    announce(tally, jobs, todo, steps, device)
    tally.write("running")
    compute(jobs, todo, steps, tally, device)
    return finish(tally)


def announce(
    tally: Tally, jobs: Sequence[Job], todo: Sequence[tuple[int, ...]], steps: int, device: str
) -> None:
    """What the run will do and cost, before it starts."""
    from mine.running import forecast

    kept = f", {len(tally.rows)} kept from before" if tally.rows else ""
    try:
        cost = f"about {duration(forecast(jobs, todo, time.perf_counter, device))}"
    except Exception as error:  # the row of the cell that raised will say so again
        cost = f"for an unknown time ({type(error).__name__} while trying it)"
    say(
        f"{tally.run.experiment} {tally.run.run_id}: {len(tally.cells)} cells{kept}, "
        f"{len(todo)} stacks, {steps:,} network-steps on {device}, {cost}"
    )


def compute(
    jobs: Sequence[Job], todo: Sequence[tuple[int, ...]], steps: int, tally: Tally, device: str
) -> None:
    """Runs the stacks; writes what there is whenever a stack has ended."""
    from tqdm import tqdm

    from mine.running import Advance, Began, run

    stack_of = {i: stack for stack in todo for i in stack}
    missing = {stack: len(stack) for stack in todo}
    began: dict[int, tuple[float, int]] = {}
    errors: dict[int, float] = {}
    with tqdm(total=steps, unit="step", unit_scale=True, disable=None, smoothing=0.05) as bar:
        bar.set_description(tally.run.experiment)
        for news in run(jobs, device, stacks=todo):
            if isinstance(news, Began):
                began |= dict.fromkeys(news.jobs, (time.monotonic(), len(news.jobs)))
            elif isinstance(news, Advance):
                bar.update(news.steps * len(news.jobs))
                for i, value in zip(news.jobs, news.values, strict=True):
                    errors[i] = abs(value - jobs[i].data.mi)  # type: ignore[union-attr]
                bar.set_postfix_str(mean_error(errors))
            else:
                start, neighbours = began[news.job]
                seconds = (time.monotonic() - start) / neighbours
                tally.add(news.job, jobs[news.job], news.outcome, seconds, device)
                stack = stack_of[news.job]
                missing[stack] -= 1
                if not missing[stack]:
                    tally.write("running")


def mean_error(errors: Mapping[int, float]) -> str:
    """Of the training values so far, for the bar."""
    finite = [e for e in errors.values() if math.isfinite(e)]
    return f"mean error {sum(finite) / len(finite):.3f} nats" if finite else ""


def finish(tally: Tally) -> int:
    """The figures, the last write, and the exit status."""
    from experiments.report import draw_run

    draw_run(tally.run)
    counts = tally.counts()
    tally.write("failed" if counts["failed"] else "finished")
    reasons = Counter(row["reason"] for row in tally.rows.values() if row["status"] == "failed")
    for reason, cells in reasons.items():
        print(f"experiments: {cells} failed: {reason}", file=sys.stderr, flush=True)
    say(
        f"{tally.run.experiment} {tally.run.run_id}: {counts['ok']} ok, "
        f"{counts['diverged']} diverged, {counts['failed']} failed, in "
        f"{duration(time.monotonic() - tally.clock)}: {tally.run.folder}"
    )
    return FAILED if counts["failed"] else OK


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{max(1, rest)} s"


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


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Sends this package's and mine's logs to the run's file for a while."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = LogFile(path, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger(name) for name in ("experiments", "mine")]
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()


# -------------------------------------------------------------------- command


def rerun_command() -> str:
    """The exact command for this run, from the overrides that Hydra recorded."""
    overrides = HydraConfig.get().overrides.task
    return shlex.join(["python", "-m", "experiments", *overrides])


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="config")
def main(config: DictConfig) -> None:
    """One job. Its exit status is kept, not raised: a sweep goes on past a job that went wrong."""
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        status = run_experiment(plain, rerun_command())  # type: ignore[arg-type]
    except (ValueError, OSError, OmegaConfBaseException) as error:
        complain(error)
        status = BAD_INPUT
    _statuses.append(status)
    if status == INTERRUPTED:
        raise KeyboardInterrupt


def complain(error: BaseException) -> None:
    """One line on stderr. Hydra's own messages tell what was expected, not where to look."""
    message = " ".join(str(error).partition("Config search path")[0].split())
    hint = f": {HELP}" if isinstance(error, HydraException | OmegaConfBaseException) else ""
    print(f"experiments: {message}{hint}", file=sys.stderr, flush=True)


def command() -> int:
    """`python -m experiments`: 0 done, 1 a cell or the disk failed, 2 bad input, 130 stopped."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come here as they are, to be said in one line
    # Where -m stands between overrides, Hydra's parser takes those after it for unknown flags.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))
    _statuses.clear()
    try:
        main()
    except KeyboardInterrupt:
        return INTERRUPTED
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
    return max(_statuses, default=OK)
