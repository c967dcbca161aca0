"""What a sink wrote is read back with the viewer's own reader; a sink's failure is a line."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from experiments.suite.run import sinks
from experiments.suite.run.command import CONFIGS
from experiments.suite.run.exits import OK
from experiments.suite.run.running import run_experiment
from experiments.suite.store.joined import load_runs
from experiments.suite.store.runs import Run

Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def one(
    example: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, dict[str, Any], list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """A run with a diverged cell, and curves of its networks."""
    config = example.gaussian_config(1, rho=[0.0, 0.5])
    rows = example.example_rows(config, example.realistic_bias)
    rows = example.edited(rows, rows.index == 0, nats=math.nan, status="diverged", reason="x")
    run = Run(example.write_run(tmp_path_factory.mktemp("outputs"), config, rows))
    records = rows.to_dict("records")
    curves = {
        row["key"]: [
            {"key": row["key"], "step": step, "train_nats": step / 7 + k} for step in (10, 20)
        ]
        for k, row in enumerate(records)
        if row["method"] != "ksg"
    }
    run.write("figures/a.png", b"\x89PNG")
    return run, config, records, curves


def wrote(name: str, one: Any) -> None:
    run, config, rows, curves = one
    assert sinks.write([name], run, config, rows, curves) == []


def same(found: float, wanted: float) -> bool:
    return math.isclose(found, wanted, rel_tol=1e-6) or (math.isnan(found) and math.isnan(wanted))


# ------------------------------------------------------------------ TensorBoard


def scalars(run: Run) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run.folder / "tensorboard"), {"scalars": 0})
    events.Reload()
    tags = events.Tags()["scalars"]
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags}


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_has_the_curve_estimate_and_truth_of_every_cell(one: Any) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra 'tensorboard'")
    run, _, rows, curves = one
    for _ in range(2):  # written again, it is there once
        wrote("tensorboard", one)
        found = scalars(run)
        assert len(found) == 2 * len(rows) + len(curves)
        for row in rows:
            name = sinks.title(row)
            for what in ("nats", "truth"):
                ((step, value),) = found[f"{what}/{name}"]
                assert step == row["steps"] and same(value, row[what])
            for (step, value), point in zip(
                found.get(f"train_nats/{name}", []), curves.get(row["key"], []), strict=True
            ):
                assert step == point["step"] and same(value, point["train_nats"])


# ----------------------------------------------------------------------- MLflow


@pytest.mark.filterwarnings("ignore")
def test_mlflow_has_the_params_metrics_and_files_of_the_run(one: Any) -> None:
    pytest.importorskip("mlflow", reason="needs the extra 'mlflow'")
    pytest.importorskip("sqlalchemy", reason="needs the extra 'mlflow'")
    from mlflow.tracking import MlflowClient

    run, config, rows, curves = one
    outputs = run.folder.parents[1]
    for _ in range(2):  # written again, it is replaced
        wrote("mlflow", one)
    uri = f"sqlite:///{outputs / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.get_experiment_by_name("gaussian")
    (found,) = client.search_runs([experiment.experiment_id])
    assert (found.info.run_name, found.info.status) == (run.run_id, "FINISHED")
    assert found.data.params["scale.name"] == config["scale"]["name"]
    assert found.data.params["experiment.rho"] == "[0.0, 0.5]"
    for row in rows:
        name = sinks.title(row)
        assert same(found.data.metrics[f"truth/{name}"], row["truth"])
        assert same(found.data.metrics.get(f"nats/{name}", math.nan), row["nats"])
    for row in rows:
        if row["key"] in curves:
            history = client.get_metric_history(
                found.info.run_id, f"train_nats/{sinks.title(row)}"
            )
            points = [(m.step, m.value) for m in history]
            assert points == [(p["step"], p["train_nats"]) for p in curves[row["key"]]]
    files = {item.path for item in client.list_artifacts(found.info.run_id)}
    assert {"config.yaml", "provenance.json", "rows.csv", "rows.parquet", "figures"} == files
    assert (outputs / "mlflow").is_dir()


# ---------------------------------------------------------------------- failure


class Broken:
    def __init__(self, run: Run, config: Mapping[str, Any]) -> None:
        raise OSError("no such server")


def test_a_sink_that_fails_is_logged_and_the_others_go_on(
    one: Any, monkeypatch: Patch, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[int] = []

    class Works:
        def __init__(self, *_: Any) -> None: ...

        def rows(self, rows: Any, _: Any) -> None:
            got.extend(row["seed"] for row in rows)

        def close(self) -> None: ...

    monkeypatch.setattr(sinks, "SINKS", {"broken": (Broken, "json"), "works": (Works, "json")})
    run, config, rows, curves = one
    with caplog.at_level(logging.WARNING):
        assert sinks.write(["broken", "works"], run, config, rows, curves) == ["broken"]
    assert "sink broken gave up: OSError: no such server" in caplog.text
    assert got == [row["seed"] for row in rows]


def test_a_run_whose_sink_fails_is_a_finished_run(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    monkeypatch.setattr(sinks, "SINKS", {"broken": (Broken, "json")})
    words = ["scale=smoke", "device=cpu", "experiment.rho=[0.5]", "experiment.methods=[ksg]"]
    words += ["scale.ksg_n=60", "figures=false"]
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        config = OmegaConf.to_container(compose("config", words))
    assert isinstance(config, dict)
    asked = {**{str(k): v for k, v in config.items()}, "sinks": ["broken"]}
    assert run_experiment({**asked, "outputs": str(tmp_path)}, "command") == OK
    ((run,), _) = load_runs(tmp_path)
    assert run.read_status()["state"] == "finished"
    assert "sink broken gave up: OSError" in run.log.read_text()
    shown = capsys.readouterr()
    assert f"not copied to broken: {run.log} says why" in shown.out + shown.err


@pytest.mark.parametrize("names", ["tensorboard", ["nothing"], None, [["a"]], {"mlflow": 1}])
def test_sinks_that_are_not_there_are_refused(names: Any) -> None:
    with pytest.raises(ValueError, match="sinks must be a list of tensorboard and mlflow, got"):
        sinks.check(names)


def test_a_sink_that_is_not_installed_says_how_to(monkeypatch: Patch) -> None:
    monkeypatch.setattr(sinks, "SINKS", {"mlflow": (sinks.MLflow, "no_such_module")})
    with pytest.raises(
        ValueError, match=r"needs the extra 'mlflow'.*pip install -e '\.\[mlflow\]'"
    ):
        sinks.check(["mlflow"])


def test_no_sink_is_asked_for_unless_said(one: Any) -> None:
    assert "sinks: []" in (CONFIGS / "config.yaml").read_text()
    run, config, rows, curves = one
    assert sinks.write([], run, config, rows, curves) == []


def test_a_title_holds_what_both_viewers_take() -> None:
    row = {
        "role": "map", "method": "mine", "task": "Warped", "seed": 3,
        "params": '{"base": {"_target_": "a", "sigma": 0.1}, "map_x": "x³=1"}',
    }  # fmt: skip
    assert sinks.title(row) == "map/mine/Warped base.sigma 0.1 map_x x__1/seed 3"
