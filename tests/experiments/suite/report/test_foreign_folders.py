"""Status and report over a folder from elsewhere: it is named in a line, and the rest goes on."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from foreign_folders import (
    HARMS,
    Harm,
    bomb,
    change_rows,
    check,
    deep,
    make,
    put,
    replace,
    set_column,
    set_status,
    set_value,
    victim,
    yaml_bomb,
    yaml_merges,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DEEP = deep(100_000).encode()


@pytest.fixture(scope="module")
def template(example: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    outputs = tmp_path_factory.mktemp("template")
    make(example, outputs)
    return Path(outputs)


SEEN: dict[str, tuple[Harm, str]] = {
    "deep status": (put("status.json", DEEP), "nested deeper"),
    "deep provenance": (put("provenance.json", DEEP), "nested deeper"),
    "deep config": (put("config.yaml", b"a: " + DEEP), "config.yaml"),
    "deep params": (set_column("params", deep(10_000), False), "nested deeper"),
    "aliases": (put("config.yaml", yaml_bomb()), "an alias"),
    "merged aliases": (put("config.yaml", yaml_merges()), "an alias"),
    "numbers for lists": (set_status("halved", 5), "and a reason at halved, got '5'"),
    "a text for seconds": (set_status("seconds", "long"), "seconds >= 0 at seconds"),
    "seconds without end": (put("status.json", b'{"state": "finished", "seconds": 1e999}'), "inf"),
    "a date": (put("config.yaml", b"experiment: {}\na: 2026-01-01"), "the date 2026-01-01"),
    "an object": (put("config.yaml", b"a: !!python/object:os.x y"), "could not determine"),
    "a pipe": (replace("rows.parquet", "pipe"), "no regular file"),
    "a pipe of status": (replace("status.json", "pipe"), "no regular file"),
    "a device": (replace("status.json", "zero"), "a link that leads out"),
    "a link": (replace("provenance.json", "file"), "a link that leads out"),
    "figures as a link": (replace("figures", "figures"), "figures: expected a folder, got a link"),
    "checkpoints as a link": (replace("checkpoints", "outside"), "checkpoints: expected a folder"),
    "the run as a link": (replace(".", "outside"), "expected a folder, got a link"),
    "rows that unpack": (bomb, "more than 512 MiB"),
    "inf": (set_column("nats", float("inf"), True), "expected finite nats"),
    "nan": (set_column("nats", float("nan"), True), "expected finite nats"),
    "no params": (set_column("params", "", True), "expected a params in each row"),
    "a key that is missing": (set_column("key", None, False), "expected a key in each row"),
    "stacks of nothing": (set_status("halved", [{}]), "each with its cells and a reason"),
    "no method": (set_column("method", "", False), "expected a method in each row"),
    "seconds": (set_column("seconds", float("inf"), False), "expected seconds >= 0"),
    "each row twice": (change_rows(lambda r: pd.concat([r, r])), "expected one row a cell"),
    "a key twice": (put("provenance.json", b'{"a": 1, "a": 2}'), "the key 'a' twice"),
}


@pytest.mark.parametrize("kind", SEEN)
def test_what_was_seen_is_one_broken_folder_in_one_line(
    kind: str, template: Path, tmp_path: Path
) -> None:
    harm, expected = SEEN[kind]
    code, said = check(template, tmp_path / "scratch", harm)
    assert code == 1
    (line,) = [one for one in said.splitlines() if one.startswith("experiments.report: ")]
    assert expected in line and str(victim(template).name) in line
    assert "remove" not in line
    assert any(f"{n} {state}" in said for n in (1, 2) for state in ("broken", "done"))


@pytest.mark.parametrize(
    "harm",
    [
        put("checksums.json", DEEP),
        put("lock.json", DEEP),
        set_value("config.yaml", 0, 3_000_000),
        set_status("updated", "x" * 100_000),
    ],
)
def test_what_a_rerun_mends_does_not_stop_the_report(
    harm: Harm, template: Path, tmp_path: Path
) -> None:
    assert check(template, tmp_path / "scratch", harm)[0] in (0, 1)


def shards_of_many(folder: Path) -> None:
    path = folder / "config.yaml"
    path.write_text(f"{path.read_text()}\nshards: 3000000\nshard: 0\n")


def test_three_million_shards_take_no_time(template: Path, tmp_path: Path) -> None:
    code, said = check(template, tmp_path / "scratch", shards_of_many)
    assert code in (0, 1) and len(said) < 20_000


@given(harms=st.lists(HARMS, min_size=1, max_size=3))
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_folder_breaks_status_or_report(
    template: Path, tmp_path: Path, harms: list[Harm]
) -> None:
    check(template, tmp_path / "scratch", *harms)


def test_figures_over_all_runs_are_not_written_through_a_link(
    template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from experiments.suite.report.command import main

    outside: Any = tmp_path / "outside"
    outside.mkdir()
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    (outputs / "figures").symlink_to(outside)
    assert main(["--outputs", str(outputs)]) == 2
    err = capsys.readouterr().err
    assert "got a link that leads out of" in err and err.count("\n") == 1
    assert not list(outside.iterdir())


def test_the_harms_do_harm(template: Path, tmp_path: Path) -> None:
    """What the fuzz test does is done: without harm nothing is said."""
    code, said = check(template, tmp_path / "scratch")
    assert code == 0 and "experiments.report" not in said
    assert json.loads((victim(template) / "status.json").read_text())["state"] == "finished"
