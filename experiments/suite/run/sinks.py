"""Sinks: copies of a finished run for TensorBoard or MLflow, where `sinks=[...]` asks for them.

The run's folder is the record. A sink is a copy for a viewer, made from rows and curves alone; it
can be made again. It writes under the outputs folder. Its package is an extra, imported where it
is used. A sink that fails leaves a line in the run's log, and the run is not changed.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from experiments.suite.store.runs import Run

log = logging.getLogger("experiments")

Row = Mapping[str, Any]
Curves = Mapping[str, Sequence[Mapping[str, Any]]]
"""A cell's key -> the points of its curve, with the columns of `CURVE_COLUMNS`."""

MLFLOW_BATCH = 900  # one call takes at most 1000 metrics and 100 params
MLFLOW_PARAMS = 100
MLFLOW_TEXT = 500


class Sink(Protocol):
    """A copy of a run: it takes rows, in one call or several, and is then closed."""

    def rows(self, rows: Iterable[Row], curves: Curves) -> None:
        """Take rows (with the columns of `ROW_COLUMNS`) and the curves of their cells."""

    def close(self) -> None:
        """Write everything that is not written yet."""


class TensorBoard:
    """Training curves, estimates and truths (nats) of every cell, in <run>/tensorboard.

    The time of a point is the seconds that its cell had taken.
    """

    def __init__(self, run: Run, config: Mapping[str, Any]) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        folder = run.folder / "tensorboard"
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()  # of an earlier process, whose rows come again
        self.writer = EventFileWriter(str(folder))

    def rows(self, rows: Iterable[Row], curves: Curves) -> None:
        for row in rows:
            name, steps = title(row), max(1, row["steps"])
            for point in curves.get(row["key"], ()):
                seconds = row["seconds"] * point["step"] / steps
                self._add(f"train_nats/{name}", point["step"], point["train_nats"], seconds)
            self._add(f"nats/{name}", row["steps"], row["nats"], row["seconds"])
            if not math.isnan(row["truth"]):
                self._add(f"truth/{name}", row["steps"], row["truth"], row["seconds"])

    def _add(self, tag: str, step: int, value: float, seconds: float) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        self.writer.add_event(Event(wall_time=seconds, step=step, summary=summary))

    def close(self) -> None:
        self.writer.close()


class MLflow:
    """Config as params, estimates and curves (nats) as metrics, the run's files as artifacts.

    The database is <outputs>/mlflow.db, and files go to <outputs>/mlflow/. A run of this id that
    was written before is replaced. `mlflow ui --backend-store-uri sqlite:///outputs/mlflow.db`
    shows the runs.
    """

    def __init__(self, run: Run, config: Mapping[str, Any]) -> None:
        from mlflow.tracking import MlflowClient

        logging.getLogger("alembic").setLevel(logging.WARNING)
        outputs = run.folder.resolve().parents[1]
        uri = f"sqlite:///{outputs / 'mlflow.db'}"
        self.run = run
        self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        place = self.client.get_experiment_by_name(run.experiment)
        where = (outputs / "mlflow").as_uri()
        found = (
            place.experiment_id
            if place
            else self.client.create_experiment(run.experiment, artifact_location=where)
        )
        for old in self.client.search_runs([found], f"attributes.run_name = '{run.run_id}'"):
            self.client.delete_run(old.info.run_id)
        self.id = self.client.create_run(found, run_name=run.run_id).info.run_id
        self._params(config)

    def _params(self, config: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        params = [Param(key, value[:MLFLOW_TEXT]) for key, value in flat(config)]
        for some in batches(params, MLFLOW_PARAMS):
            self.client.log_batch(self.id, params=some)

    def rows(self, rows: Iterable[Row], curves: Curves) -> None:
        from mlflow.entities import Metric

        def metrics() -> Iterator[Any]:
            for row in rows:
                name = title(row)
                for point in curves.get(row["key"], ()):
                    yield f"train_nats/{name}", point["train_nats"], point["step"]
                yield f"nats/{name}", row["nats"], row["steps"]
                yield f"truth/{name}", row["truth"], row["steps"]

        finite = [Metric(k, float(v), 0, int(s)) for k, v, s in metrics() if math.isfinite(v)]
        for some in batches(finite, MLFLOW_BATCH):
            self.client.log_batch(self.id, metrics=some)

    def close(self) -> None:
        for name in ("config.yaml", "provenance.json", "rows.csv", "rows.parquet"):
            if (path := self.run.folder / name).exists():
                self.client.log_artifact(self.id, str(path))
        for path in sorted(self.run.figures.glob("*.png")):
            self.client.log_artifact(self.id, str(path), "figures")
        self.client.set_terminated(self.id)


SINKS: Mapping[str, tuple[Callable[[Run, Mapping[str, Any]], Sink], str]] = {
    "tensorboard": (TensorBoard, "tensorboard"),
    "mlflow": (MLflow, "mlflow"),
}
"""Name -> the sink, and the module that the extra of this name installs."""


def check(names: Any) -> None:
    """Raise a ValueError unless these are names of installed sinks."""
    if not isinstance(names, list) or not set(map(str, names)) <= set(SINKS):
        raise ValueError(
            f"sinks must be a list of {' and '.join(SINKS)}, got {names!r}: "
            "write 'sinks=[tensorboard]', or leave them out"
        )
    for name in names:
        if importlib.util.find_spec(SINKS[name][1]) is None:
            raise ValueError(
                f"sinks=[{name}] needs the extra {name!r}, got no module {SINKS[name][1]}: "
                f"install it with `pip install -e '.[{name}]'`, or leave the sink out"
            )


def write(
    names: Sequence[str],
    run: Run,
    config: Mapping[str, Any],
    rows: Iterable[Row],
    curves: Curves,
) -> list[str]:
    """Copy the run into each sink. Returns the sinks that failed; the run's log says why."""
    rows = list(rows)
    failed = []
    for name in names:
        try:
            with _quietly():
                sink = SINKS[name][0](run, config)
                sink.rows(rows, curves)
                sink.close()
        except Exception as error:
            log.warning("sink %s gave up: %s: %s", name, type(error).__name__, error)
            failed.append(name)
    return failed


@contextmanager
def _quietly() -> Iterator[None]:
    """Ignore warnings inside the `with` block: these packages warn about one another."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def title(row: Row) -> str:
    """A cell's name in characters that both viewers take: 'scalar/mine/dim 1 rho 0.5/seed 0'."""
    fields = " ".join(f"{key} {value}" for key, value in flat(json.loads(row["params"])))
    parts = [row["role"], row["method"], f"{row['task']} {fields}", f"seed {row['seed']}"]
    return re.sub(r"[^\w\-. /]", "_", "/".join(part for part in parts if part), flags=re.ASCII)


def flat(nested: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as (dotted name, text) pairs, without targets."""
    found: list[tuple[str, str]] = []
    for key, value in nested.items():
        if isinstance(value, Mapping):
            found += flat(value, f"{prefix}{key}.")
        elif key != "_target_":
            found.append((f"{prefix}{key}", str(value)))
    return found


def batches(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
