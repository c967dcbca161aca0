"""From a config to jobs: config -> cells -> jobs. Only this module calls Hydra's `instantiate`."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.errors import HydraException

from experiments.suite.grid import shards
from experiments.suite.grid.cells import Cell, merged, untrained
from experiments.suite.run import config_check
from experiments.suite.run.messages import HELP
from experiments.suite.run.targets import ConfigError, check_target, located, targets
from experiments.suite.store.errors import raised

if TYPE_CHECKING:
    from mine.running.jobs import AnyJob, Job


def prepare(config: Mapping[str, Any]) -> tuple[list[Cell], list[AnyJob]]:
    """The cells that a config asks for, without repetition, and the job of each.

    Raises:
        ValueError: the config cannot be run.
    """
    try:
        config_check.check(config)
        build(config["train"])  # report a mistake there before the grid is made
        module = load(str(config["experiment"]["name"]))
        cells = list({cell.key: cell for cell in module.cells(config)}.values())
    except ConfigError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the config must have the keys and types of configs/, got {raised(error)}: compare "
            "yours with the one that `python -m experiments --cfg job` shows"
        ) from error
    if not cells:
        raise ConfigError("experiment.panels must hold at least one panel, got none: name one")
    cells = shards.share(cells, config)
    return cells, [job_of(cell, config) for cell in cells]


def load(name: str) -> Any:
    """The module of an experiment."""
    try:
        return importlib.import_module(f"experiments.{name}")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"experiment.name must be a module of experiments/, got {name!r}: {error}"
        ) from None


def job_of(cell: Cell, config: Mapping[str, Any]) -> AnyJob:
    """The job of a cell. Its data depend on the cell's task and seed alone."""
    from experiments.probes.names import METHODS
    from mine.data.sources import of_task
    from mine.running.applications import ApplicationJob, is_application
    from mine.running.jobs import Job

    config = merged(config, cell.overrides)
    if config["estimator"]["split"]:
        return own_rows_job(cell, config)
    steps = {} if untrained(cell.method) else {"steps": cell.steps}
    task, training, critic = (
        _built(json.dumps(one, sort_keys=True))
        for one in (with_data(cell.task, config), {**config["train"], **steps}, config["critic"])
    )
    shared: dict[str, Any] = {
        "seed": cell.seed,
        "key": data_key(cell),
        "training": training,
        "critic": critic,
        "n_test": config["scale"]["n_test"],
        "partners": config["estimator"]["partners"],
    }
    if is_application(task):
        return ApplicationJob(application=task, arm=cell.method, **shared)
    method = METHODS.resolve(cell.method)
    if method.is_direct and cell.steps:
        raise ConfigError(
            f"a method without training needs rows of a fixed number, got {cell.method!r} as one "
            "that is trained: add its name to UNTRAINED in experiments/suite/grid/cells.py"
        )
    return Job(
        source=of_task(task, cell.n),
        method=method,
        k=config["estimator"]["k"],
        **shared,
    )


def own_rows_job(cell: Cell, config: Mapping[str, Any]) -> Job:
    """The job of `mine.estimate` on n rows of the task, with at most the cell's steps."""
    from experiments.probes.names import METHODS
    from mine.estimators.own_job import task_job
    from mine.running.applications import is_application

    if not cell.n:
        raise ConfigError(
            "estimator.split needs rows to split, got experiment.n=0: give their number, such as "
            "experiment.n=5000"
        )
    task, options = _built(json.dumps(cell.task, sort_keys=True)), config["estimator"]
    if is_application(task):
        raise ConfigError(
            "estimator.split is for tasks, whose rows can be split, got "
            f"{type(task).__name__}: leave it false"
        )
    method = METHODS.resolve(cell.method)
    job = task_job(task, cell.n, method, cell.seed, data_key(cell), cell.steps)
    return replace(job, partners=options["partners"], k=options["k"])


def data_key(cell: Cell) -> str:
    """The text from which, with its seed, a cell's samples are derived."""
    return json.dumps([cell.task, cell.role], sort_keys=True)


def with_data(task: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A task that names a data set, with the config of this data set and this run's cache."""
    if "data" not in task:
        return task
    cache = str(Path(str(config["outputs"])) / "cache")
    return {**task, "data": {**config["data"], "cache": cache}}


def fetch(jobs: Iterable[AnyJob]) -> None:
    """Fetch the jobs' data sets that are not on this machine yet.

    Raises:
        ValueError: a data set cannot be fetched; the message says why.
    """
    for data in dict.fromkeys(job.data for job in jobs):
        if data is not None:
            data.fetch()


def build(config: Any) -> Any:
    """The object that a config describes, made by `instantiate` from allowed targets only."""
    for target in targets(config):
        check_target(target)
    try:
        return hydra.utils.instantiate(located(config), _convert_="all")  # noqa: TID251
    except HydraException as error:
        raise ConfigError(_reason(error)) from error


@cache
def _built(config: str) -> Any:
    """`build` from JSON, cached: a grid has many cells and few tasks and trainings."""
    return build(json.loads(config))


def _reason(error: BaseException) -> str:
    """The message that a constructor raised, without the text that Hydra puts around it."""
    cause = error.__cause__ or error
    message = " ".join(str(cause).split())
    return (
        message if isinstance(cause, ValueError) else f"{type(cause).__name__}: {message}: {HELP}"
    )
