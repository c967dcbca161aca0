"""The store: whole files or none, ids that follow from what was asked, rows that come back."""

from __future__ import annotations

import csv
import io
import json
import math
import platform
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.suite.run.provenance import collect_provenance
from experiments.suite.store.checked_tables import CorruptRunError
from experiments.suite.store.files import OutputError, check_outputs, write_atomic
from experiments.suite.store.identity import run_id
from experiments.suite.store.joined import join_rows, join_runs, load_runs
from experiments.suite.store.runs import Run
from experiments.suite.store.serialising import json_bytes
from experiments.suite.store.table_bytes import csv_bytes, parquet_to_csv
from experiments.suite.store.tables import (
    CURVE_COLUMNS,
    ROW_COLUMNS,
    ROW_STATUSES,
    curve_frame,
    row_frame,
)

CONFIG: dict[str, Any] = {
    "experiment": {"name": "gaussian", "rho": [-0.5, 0.0, 0.5]},
    "train": {"learning_rate": 1e-3, "steps": 2000},
    "device": "cpu",
    "outputs": "outputs",
}
ROW: dict[str, Any] = {
    "experiment": "gaussian",
    "run_id": "0123456789ab",
    "key": "a",
    "role": "scalar",
    "task": "CorrelatedGaussian",
    "params": '{"dim":1,"rho":0.5}',
    "dim": 1,
    "method": "mine",
    "seed": 0,
    "n_train": 100_000,
    "n_test": 5000,
    "steps": 2000,
    "nats": 0.1 + 0.2,
    "stderr": 0.01,
    "truth": math.inf,
    "train_nats": math.nan,
    "seconds": 1.5,
    "device": "cpu",
    "status": "ok",
    "reason": "",
    "step_diverged": -1,
    "warnings": "",
}


def finished_run(outputs: Path, **changes: Any) -> Run:
    run = Run.create(outputs, "gaussian", CONFIG | changes)
    run.write_provenance({"git_commit": None})
    run.write_rows(row_frame([ROW, ROW | {"key": "b", "seed": 1}]))
    run.write_curves(curve_frame([{"key": "a", "step": 20, "train_nats": 0.1}]))
    run.write_status({"state": "finished", "cells": 2})
    return run


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes: stands in for a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


# Writing


def test_a_write_makes_the_folders_it_needs_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b.txt", b"one")
    write_atomic(tmp_path / "a" / "b.txt", b"two")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"two"
    assert files(tmp_path) == ["b.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("no")], ids=["ctrl-c", "bug"])
def test_a_write_that_is_cut_short_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    path = tmp_path / "rows.csv"
    write_atomic(path, b"old")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(store.os, step, fail)
    with pytest.raises(type(error)):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert files(tmp_path) == ["rows.csv"]


def test_files_get_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_an_output_folder_that_is_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("mine")
    with pytest.raises(OutputError, match=r"expected a folder .*got .*outputs=<folder>") as caught:
        check_outputs(tmp_path / "outputs" / "gaussian")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "outputs").read_text() == "mine"


def test_a_read_only_output_folder_is_refused() -> None:
    # Files cannot be made under /proc, not even by root.
    with pytest.raises(OutputError, match=r"expected a folder that can be written at /proc"):
        check_outputs(Path("/proc/outputs"))


def test_a_full_disk_is_refused_and_the_old_rows_stay(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    before = tables_of(run)
    many = row_frame([ROW | {"key": str(i), "reason": str(i) * 50} for i in range(500)])
    with (
        largest_file(4096),
        pytest.raises(OutputError, match=r"expected room for \d+ bytes .*got"),
    ):
        run.write_rows(many)
    assert tables_of(run) == before
    assert list(run.read_rows()["key"]) == ["a", "b"]
    run.write_rows(row_frame([ROW]))  # there is room again
    assert len(run.read_rows()) == 1


def tables_of(run: Run) -> dict[Path, bytes]:
    """All that is on disk but the checksums, which know of a table before it is there."""
    files = [p for p in run.folder.rglob("*") if p.is_file() and p.name != "checksums.json"]
    return {path: path.read_bytes() for path in files}


def test_the_check_of_an_output_folder_makes_it_and_leaves_it_empty(tmp_path: Path) -> None:
    check_outputs(tmp_path / "outputs")
    assert list((tmp_path / "outputs").iterdir()) == []


def test_a_run_writes_nothing_outside_its_folder(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    for name in ("../status.json", "figures/../../x", "/x"):
        with pytest.raises(ValueError, match="expected a name inside the run folder"):
            run.write(name, b"")
    assert run.write("figures/map.svg", b"<svg/>").read_bytes() == b"<svg/>"


# Ids

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(), plain, max_size=4))
def test_an_id_does_not_depend_on_the_order_of_keys(config: dict[str, Any]) -> None:
    assert run_id(config) == run_id(reversed_keys(config))


def test_an_id_follows_every_value_and_the_version() -> None:
    changed = [
        CONFIG,
        CONFIG | {"train": {"learning_rate": 1e-3, "steps": 2001}},
        CONFIG | {"train": {"learning_rate": 1.0000000000000002e-3, "steps": 2000}},
        CONFIG | {"experiment": {"name": "gaussian", "rho": [0.0, -0.5, 0.5]}},
        CONFIG | {"device": "cuda"},
        CONFIG | {"scale": None},
    ]
    ids = {run_id(config) for config in changed} | {run_id(CONFIG, version="9")}
    assert len(ids) == len(changed) + 1
    assert all(len(name) == 12 and int(name, 16) >= 0 for name in ids)


def test_an_id_does_not_follow_where_results_go_or_what_is_logged() -> None:
    elsewhere = CONFIG | {"outputs": "other", "checkpoint_seconds": 1, "time_limit": 2.0}
    assert run_id(CONFIG) == run_id(elsewhere)


def test_an_id_is_the_same_in_every_process() -> None:
    program = (
        f"from experiments.suite.store.runs import run_id; print(run_id({CONFIG!r}, version='1'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(store.__file__).parents[1],
    )
    assert done.stdout.strip() == run_id(CONFIG, version="1")


def test_a_config_that_is_not_plain_data_has_no_id() -> None:
    with pytest.raises(ValueError, match="expected plain data .*set"):
        run_id({"rho": {0.5}})


# Rows


def test_a_row_has_the_columns_and_types_that_readers_rely_on() -> None:
    assert {name: str(dtype) for name, dtype in row_frame([ROW]).dtypes.items()} == ROW_COLUMNS
    assert {name: str(dtype) for name, dtype in row_frame([]).dtypes.items()} == ROW_COLUMNS
    assert {name: str(dtype) for name, dtype in curve_frame([]).dtypes.items()} == CURVE_COLUMNS


def test_missing_values_are_filled_and_an_unknown_column_is_refused() -> None:
    row = row_frame([{"key": "a", "status": "failed", "reason": "boom", "nats": None}]).iloc[0]
    assert math.isnan(row["nats"]) and math.isnan(row["truth"])
    assert (row["seed"], row["step_diverged"], row["warnings"]) == (0, -1, "")
    with pytest.raises(ValueError, match="got bits as well"):
        row_frame([ROW | {"bits": 1.0}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 0.5}, "expected int64 in column seed, got 0.5"),
        ({"seed": "1"}, "expected int64 in column seed, got '1'"),
        ({"nats": "0.3"}, "expected float64 in column nats, got '0.3'"),
        ({"nats": [1.0]}, "expected float64 in column nats"),
        ({"params": {"rho": 0.5}}, "expected str in column params"),
        ({"status": "done"}, "expected status ok | failed | diverged, got 'done'"),
        ({"status": None}, "expected a value for status"),
        ({"key": None}, "expected a value for key"),
    ],
)
def test_a_value_of_another_type_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        row_frame([ROW | change])
    assert message in str(caught.value)


def test_one_cell_is_one_row(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected one row a cell, got key 'a' twice"):
        Run.create(tmp_path, "gaussian", CONFIG).write_rows(row_frame([ROW, ROW]))


def test_a_table_that_lost_its_types_is_mended_or_refused(tmp_path: Path) -> None:
    run, rows = Run.create(tmp_path, "gaussian", CONFIG), row_frame([ROW])
    run.write_rows(rows.astype({"nats": object, "reason": object})[list(reversed(ROW_COLUMNS))])
    pd.testing.assert_frame_equal(run.read_rows(), rows)
    with pytest.raises(ValueError, match="expected int64 in column seed"):
        run.write_rows(rows.astype({"seed": float}))
    with pytest.raises(ValueError, match="build the table with row_frame"):
        run.write_rows(rows.drop(columns="truth"))


def values(dtype: str) -> st.SearchStrategy[Any]:
    return {
        "str": st.text(max_size=8),
        "int64": st.integers(-(2**63), 2**63 - 1),
        "float64": st.floats(),
    }[dtype]


rows_of_any_value = st.lists(
    st.fixed_dictionaries(
        {name: values(dtype) for name, dtype in ROW_COLUMNS.items()}
        | {"status": st.sampled_from(ROW_STATUSES)}
    ),
    max_size=4,
    unique_by=lambda row: row["key"],
)


@given(rows_of_any_value)
def test_rows_come_back_from_disk_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    run = Run.create(tmp_path_factory.mktemp("outputs"), "gaussian", CONFIG)
    frame = row_frame(rows)
    run.write_rows(frame)
    pd.testing.assert_frame_equal(run.read_rows(), frame, check_exact=True)


@given(st.lists(st.floats(), min_size=1, max_size=5))
def test_a_number_in_the_csv_is_the_number_to_the_last_bit(numbers: list[float]) -> None:
    frame = row_frame([ROW | {"key": str(i), "nats": x} for i, x in enumerate(numbers)])
    lines = csv.DictReader(io.StringIO(csv_bytes(frame).decode(), newline=""))
    assert [repr(float(line["nats"])) for line in lines] == [repr(float(x)) for x in numbers]


@given(st.text())
def test_text_in_the_csv_comes_back(text: str) -> None:
    written = csv_bytes(row_frame([ROW | {"reason": text}]))
    (line,) = csv.DictReader(io.StringIO(written.decode(), newline=""))
    assert line["reason"] == text.replace("\r", "\\r")


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    one, two = finished_run(tmp_path / "one"), finished_run(tmp_path / "two")
    two.write_rows(row_frame([]))
    two.write_rows(pd.concat([one.read_rows()[:1], one.read_rows()[1:]]))
    for name in ("rows.csv", "rows.parquet", "curves.parquet"):
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes(), name


def test_a_text_that_is_no_unicode_becomes_one() -> None:
    assert row_frame([ROW | {"reason": "\udcff"}])["reason"][0] == "\\udcff"


# Runs


def test_a_run_reads_back_what_was_written(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "gaussian", CONFIG)
    assert run.folder == tmp_path / "gaussian" / run_id(CONFIG)
    assert (run.experiment, run.run_id) == ("gaussian", run_id(CONFIG))
    run.write_provenance({"git_commit": "abc", "device": "cpu"})
    run.write_status({"state": "running", "cells": 2, "done": 0})
    assert run.read_config() == CONFIG
    assert list(run.read_config()) == list(CONFIG)
    assert run.read_provenance() == {"git_commit": "abc", "device": "cpu"}
    assert run.read_status() == {"state": "running", "cells": 2, "done": 0}


def test_rows_of_an_unfinished_run_are_there_to_go_on_from(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "gaussian", CONFIG)
    assert len(run.read_rows()) == 0 and len(run.read_curves()) == 0
    run.write_provenance({})
    run.write_rows(row_frame([ROW]))
    run.write_status({"state": "running"})
    again = Run.create(tmp_path, "gaussian", CONFIG)
    assert set(again.read_rows()["key"]) == {"a"}
    assert not again.finished


def test_a_run_is_finished_only_when_all_of_it_can_be_read(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    assert run.finished
    run.write_status({"state": "failed"})
    assert not run.finished
    run.write_status({"state": "finished"})
    (run.folder / "rows.parquet").write_bytes(b"PAR1")
    assert not run.finished
    (run.folder / "rows.parquet").unlink()
    assert not run.finished


def test_a_state_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected state running | finished | failed, got 'done'"):
        Run.create(tmp_path, "gaussian", CONFIG).write_status({"state": "done"})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", b"a: [1"),
        ("config.yaml", b"- 1"),
        ("config.yaml", None),
        ("provenance.json", b'{"git_commit": '),
        ("provenance.json", None),
        ("status.json", b"\xff"),
        ("status.json", b'{"state": "done"}'),
        ("status.json", None),
        ("rows.parquet", b""),
        ("rows.parquet", b"PAR1 and then nothing PAR1"),
        ("curves.parquet", b"x"),
    ],
)
def test_a_corrupt_run_is_named_and_the_others_are_read(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    good, bad = finished_run(tmp_path), finished_run(tmp_path, device="cuda")
    if content is None:
        (bad.folder / name).unlink()
    else:
        (bad.folder / name).write_bytes(content)
    runs, problems = load_runs(tmp_path)
    assert runs == [good]
    assert len(problems) == 1
    assert "\n" not in problems[0]
    assert problems[0].startswith(f"{bad.folder / name}: expected ")
    assert problems[0].endswith("and run it again")


def test_a_table_cut_in_half_is_corrupt(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    path = run.folder / "rows.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CorruptRunError, match="rows.parquet: expected a readable table"):
        run.read_rows()


def test_a_table_of_another_schema_is_corrupt(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    table = pq.read_table(run.folder / "rows.parquet")
    pq.write_table(table.drop_columns(["truth"]), run.folder / "rows.parquet")
    (run.folder / "checksums.json").unlink()
    with pytest.raises(CorruptRunError, match="expected the columns"):
        run.read_rows()


def test_only_run_folders_are_taken_for_runs(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    (tmp_path / "figures" / "gaussian").mkdir(parents=True)
    (tmp_path / "gaussian" / "notes").mkdir()
    (tmp_path / "report.html").touch()
    assert load_runs(tmp_path) == ([run], [])
    assert load_runs(tmp_path / "nowhere") == ([], [])


def test_the_rows_of_all_runs_join_into_one_table(tmp_path: Path) -> None:
    one, two = finished_run(tmp_path), finished_run(tmp_path, device="cuda")
    joined = join_rows([one, two])
    assert len(joined) == 4
    assert {name: str(dtype) for name, dtype in joined.dtypes.items()} == ROW_COLUMNS
    assert len(join_rows([])) == 0


def many_runs(outputs: Path, count: int) -> list[Run]:
    """Runs of one to three rows, with texts and numbers that are hard to write."""
    runs = []
    for number in range(count):
        run = Run.create(outputs, "gaussian", CONFIG | {"number": number})
        hard = {"reason": 'a "b", c\nd\re', "nats": math.nan, "stderr": 1e-300 * number}
        rows = [ROW | hard | {"key": f"{i}", "seed": number} for i in range(number % 4)]
        run.write_provenance({})
        run.write_rows(row_frame(rows))
        run.write_status({"state": "finished"})
        runs.append(run)
    return sorted(runs, key=lambda run: run.folder)


def test_joined_rows_are_those_of_each_run_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The naive road: every run's rows through pandas, one after the other."""
    monkeypatch.setattr(store, "write_atomic", without_waiting)
    monkeypatch.setattr(store, "JOINED_AT_ONCE", 16)
    runs = many_runs(tmp_path, 100)
    columns = ["key", *(name for name in ROW_COLUMNS if name != "key")]
    joined = join_runs(tmp_path, columns)
    naive = pd.concat([run.read_rows() for run in runs], ignore_index=True)
    assert joined.runs == runs
    assert joined.problems == []
    assert joined.rows == len(naive) == 150
    read = pq.read_table(io.BytesIO(joined.parquet)).to_pandas()
    pd.testing.assert_frame_equal(read, naive[columns])
    pd.testing.assert_frame_equal(join_rows(runs), naive)
    text = b"".join(parquet_to_csv(joined.parquet))
    assert values_of(text) == values_of(csv_bytes(naive[columns]))
    some = joined.frame(["nats", "status"])
    assert some["nats"].tolist() == pytest.approx(naive["nats"].tolist(), nan_ok=True)
    assert some["status"].astype("str").tolist() == naive["status"].tolist()


def values_of(text: bytes) -> list[list[str]]:
    """The lines of a CSV; numbers in Python's own digits, which tell every double apart."""
    kinds: dict[str, Any] = {"str": str, "int64": int, "float64": float}
    return [
        [str(kinds[ROW_COLUMNS[name]](value)) for name, value in line.items()]
        for line in csv.DictReader(io.StringIO(text.decode(), newline=""))
    ]


def without_waiting(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_a_run_that_cannot_be_read_is_left_out_of_the_join(tmp_path: Path) -> None:
    good, bad = finished_run(tmp_path), finished_run(tmp_path, device="cuda")
    (bad.folder / "rows.parquet").write_bytes(b"PAR1")
    joined = join_runs(tmp_path, list(ROW_COLUMNS))
    assert (joined.runs, joined.rows) == ([good], 2)
    assert [str(bad.folder) in problem for problem in joined.problems] == [True]


def test_pieces_are_written_as_one_file(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", iter([b"one, ", b"two"]))
    assert (tmp_path / "a").read_bytes() == b"one, two"


# Provenance


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_provenance_says_which_code_packages_machine_and_seed(tmp_path: Path) -> None:
    provenance = collect_provenance(device="cpu", seed=3, threads=2, root=tmp_path)
    assert set(provenance) == {
        *("git_commit", "git_dirty", "version", "packages", "python", "platform"),
        *("cores", "threads", "device", "seed", "time"),
    }
    assert (provenance["device"], provenance["seed"]) == ("cpu", 3)
    assert provenance["threads"] == 2
    assert {"torch", "numpy", "pandas"} <= set(provenance["packages"])
    assert provenance["time"].endswith("+00:00")
    assert json.loads(json_bytes(provenance)) == provenance


def test_provenance_does_not_name_the_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = platform.uname()._replace(node="host-17", release="6.1-host-17")
    monkeypatch.setattr(platform, "uname", lambda: machine)
    monkeypatch.setattr(platform, "node", lambda: machine.node)
    text = json.dumps(collect_provenance(device="cpu", seed=0, threads=1, root=tmp_path))
    assert "host-17" not in text
    assert machine.system in text


def test_provenance_follows_the_checkout(tmp_path: Path) -> None:
    def state() -> tuple[Any, Any]:
        found = collect_provenance(device="cpu", seed=0, threads=1, root=tmp_path)
        return found["git_commit"], found["git_dirty"]

    assert state() == (None, None)
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    assert state() == (None, True)
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    commit, dirty = state()
    assert len(commit) == 40 and dirty is False
    (tmp_path / "a").write_text("2")
    assert state() == (commit, True)


def test_provenance_of_a_folder_inside_a_foreign_checkout_has_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "inner").mkdir()
    found = collect_provenance(device="cpu", seed=0, threads=1, root=tmp_path / "inner")
    assert found["git_commit"] is None


def test_provenance_does_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = collect_provenance(
        device="cpu", seed=0, threads=1, root=Path(store.__file__).parents[1]
    )
    assert (found["git_commit"], found["git_dirty"]) == (None, None)


# ------------------------------------------------------------------- checksums


def twice_written(tmp_path: Path) -> Run:
    run = finished_run(tmp_path)
    run.write_rows(three_rows())
    return run


def three_rows() -> pd.DataFrame:
    return row_frame([ROW | {"key": key} for key in "abc"])


@pytest.mark.parametrize("at", [0, 100, 300, -20, -1])
def test_a_flipped_byte_is_found_and_the_copy_before_it_is_used(
    tmp_path: Path, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    run = twice_written(tmp_path)
    path = run.folder / "rows.parquet"
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)
    assert list(run.read_rows()["key"]) == ["a", "b"]
    assert "a checksum that differs" in caplog.text and "the copy before it" in caplog.text
    run.write_rows(three_rows())
    assert len(run.read_rows()) == 3


def test_a_table_and_its_copy_that_are_both_broken_are_corrupt(tmp_path: Path) -> None:
    run = twice_written(tmp_path)
    for name in ("rows.parquet", "rows.previous.parquet"):
        (run.folder / name).write_bytes(b"PAR1")
    with pytest.raises(CorruptRunError, match=r"rows.previous.parquet: .* a checksum"):
        run.read_rows()


def test_a_reader_that_a_writer_overtakes_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It has read the checksums of before when the run writes both them and the table."""
    run = twice_written(tmp_path)
    old = run._checksums()
    run.write_rows(row_frame([ROW]))
    now = Run._checksums
    assert old != now(run)
    for read, wanted in (
        (lambda: len(run.read_rows()), 1),
        (lambda: run.table_fault("rows.parquet"), ""),
    ):
        told = iter([old])
        monkeypatch.setattr(Run, "_checksums", lambda self, told=told: next(told, now(self)))
        assert read() == wanted
    assert caplog.text == ""


@pytest.mark.parametrize("stop_at", ["rows.previous.parquet", "checksums.json", "rows.parquet"])
def test_a_write_stopped_at_any_file_leaves_the_rows_before_it(
    tmp_path: Path, stop_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = twice_written(tmp_path)
    write = Run.write

    def stopping(self: Run, name: str, data: bytes) -> Path:
        if name == stop_at:
            raise KeyboardInterrupt
        return write(self, name, data)

    monkeypatch.setattr(Run, "write", stopping)
    one = row_frame([ROW])
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run.write_rows(one)
        assert len(run.read_rows()) == 3
    monkeypatch.undo()
    run.write_rows(one)
    assert len(run.read_rows()) == 1
