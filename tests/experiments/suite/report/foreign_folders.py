"""Folders of runs that came from elsewhere: ways to harm one, and what must hold all the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from hypothesis import strategies as st

from experiments.suite.figures import drawing
from experiments.suite.report.command import main as report
from experiments.suite.report.status import main as status
from experiments.suite.store.tables import ROW_COLUMNS

JSON_FILES = ("provenance.json", "status.json", "checksums.json", "lock.json")
FILES = ("config.yaml", *JSON_FILES, "rows.parquet", "curves.parquet")
PLACES = (*FILES, "figures", "checkpoints", ".")
SECONDS, MEMORY = 20.0, 1 << 30
WAITING = 3  # times as long by the clock: other programs may be at work

Harm = Callable[[Path], None]
"""Done to the folder of a run."""


def make(example: ModuleType, outputs: Path) -> None:
    """A healthy run, and one of another experiment that is to be harmed."""
    for config in (example.gaussian_config(2, rho=[0.5]), example.equitability_config(2)):
        rows = example.example_rows(config).iloc[:12]
        folder = example.write_run(outputs, config, rows)
        (folder / "lock.json").write_text('{"host": "elsewhere"}')


def victim(outputs: Path) -> Path:
    (config,) = outputs.glob("equitability/*/config.yaml")
    return config.parent


def is_endless(folder: Path) -> bool:
    """Whether a file of the folder, or the folder itself, is a pipe or a link to a device."""
    places = (folder, *folder.rglob("*"))
    return any(stat.S_ISFIFO(p.lstat().st_mode) or p.is_char_device() for p in places)


@contextlib.contextmanager
def without_drawing() -> Iterator[None]:
    """Figures take seconds; what raises while they are drawn is caught one by one."""
    draw, drawing.draw = drawing.draw, lambda *_: {}  # type: ignore[assignment]
    try:
        yield
    finally:
        drawing.draw = draw


def check(template: Path, scratch: Path, *harms: Harm) -> tuple[int, str]:
    """Do harm to a copy; then status and report end well, and the neighbour is there.

    Returns the report's status and what it said.
    """
    outputs, outside = scratch / "outputs", scratch / "outside"
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(template, outputs)
    (outside / "figures").mkdir(parents=True)
    (outside / "file.json").write_text("{}")
    folder = victim(outputs)
    for harm in harms:
        if is_endless(folder):
            break  # the next one would wait for a pipe's reader, or read from /dev/zero
        with contextlib.suppress(Exception):  # what one has broken, the next may not find to harm
            harm(folder)
    _warm_up(template)
    before, peak, said = contents(outside), memory(), list[str]()
    began, worked = time.monotonic(), time.process_time()
    code = _status_and_report(outputs, said)
    assert code in (0, 1, 2)
    assert time.process_time() - worked < SECONDS
    assert time.monotonic() - began < WAITING * SECONDS
    assert memory() - peak < MEMORY
    assert contents(outside) == before
    if code < 2:
        rows = pd.read_csv(outputs / "results.csv", keep_default_na=False, na_values=["nan"])
        (healthy,) = outputs.glob("gaussian/*/rows.parquet")
        assert (rows["experiment"] == "gaussian").sum() == pq.read_metadata(healthy).num_rows > 0
    return code, "".join(said)


@cache
def _warm_up(template: Path) -> None:
    """Imports what the commands import: on a busy machine that alone takes most of a minute."""
    outputs = template.with_name(f"{template.name}-warm")
    shutil.copytree(template, outputs)
    _status_and_report(outputs, [])
    shutil.rmtree(outputs)


def _status_and_report(outputs: Path, said: list[str]) -> int:
    with without_drawing(), _heard(said):
        assert status(["--outputs", str(outputs)]) == 0
        assert status(["--outputs", str(outputs), "--json"]) == 0
        return report(["--outputs", str(outputs)])


def memory() -> int:
    """The most bytes that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in sorted(folder.rglob("*"))}


@contextlib.contextmanager
def _heard(said: list[str]) -> Iterator[None]:
    class Ear:
        def write(self, text: str) -> int:
            said.append(text)
            return len(text)

        def flush(self) -> None:
            pass

        def isatty(self) -> bool:
            return False

    with contextlib.redirect_stdout(Ear()), contextlib.redirect_stderr(Ear()):  # type: ignore[type-var]
        yield


# Harms


def put(name: str, data: bytes) -> Harm:
    return lambda folder: folder.joinpath(name).write_bytes(data) and None


def cut(name: str, share: float) -> Harm:
    def harm(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: round(share * len(data))])

    return harm


def flip(name: str, place: float, bits: int) -> Harm:
    def harm(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[round(place * (len(data) - 1))] ^= bits
        (folder / name).write_bytes(data)

    return harm


def set_value(name: str, place: int, value: Any) -> Harm:
    """Another value at a key of a JSON file or of the config."""

    def harm(folder: Path) -> None:
        parse = yaml.safe_load if name.endswith("yaml") else json.loads
        found = parse((folder / name).read_text())
        key = sorted(found)[place % len(found)]
        (folder / name).write_text(json.dumps({**found, key: value}))  # YAML reads JSON

    return harm


def set_status(key: str, value: Any) -> Harm:
    def harm(folder: Path) -> None:
        found = json.loads((folder / "status.json").read_text())
        (folder / "status.json").write_text(json.dumps({**found, key: value}))

    return harm


def change_rows(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Harm:
    """Other rows, with the checksum that fits them."""

    def harm(folder: Path) -> None:
        frame = change(pq.read_table(folder / "rows.parquet").to_pandas())
        write_rows(folder, pa.Table.from_pandas(frame, preserve_index=False))

    return harm


def write_rows(folder: Path, table: pa.Table) -> None:
    pq.write_table(table, folder / "rows.parquet", store_schema=False)
    digest = hashlib.sha256((folder / "rows.parquet").read_bytes()).hexdigest()
    (folder / "checksums.json").write_text(json.dumps({"rows.parquet": [digest]}))


def set_column(name: str, value: Any, every: bool) -> Harm:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        kept = list(rows[name]) if name in rows else [""] * len(rows)
        return rows.assign(**{name: [value, *([value] * (len(kept) - 1) if every else kept[1:])]})

    return change_rows(change)


def replace(name: str, by: str) -> Harm:
    """Something else in the place of a file or folder."""

    def harm(folder: Path) -> None:
        path, outside = folder / name, folder.parents[2] / "outside"
        if name == ".":
            path = folder
        if path.is_dir():  # to open a pipe, as rmtree does, waits for whoever writes into it
            shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
        if by == "pipe":
            os.mkfifo(path)
        elif by == "folder":
            path.mkdir()
        else:
            targets = {
                "file": outside / "file.json", "outside": outside, "zero": Path("/dev/zero"),
                "circle": path, "figures": outside / "figures", "none": outside / "none",
            }  # fmt: skip
            path.symlink_to(targets[by])

    return harm


def bomb(folder: Path) -> None:
    """A few kilobytes that unpack to gigabytes: one text of 4 MB in 2,000 rows."""
    table = pq.read_table(folder / "rows.parquet")
    rows = pa.concat_tables([table] * 200)
    one = pa.array(["x" * (1 << 22)], pa.large_string())
    text = pa.DictionaryArray.from_arrays(pa.array([0] * len(rows), pa.int32()), one)
    write_rows(folder, rows.set_column(rows.column_names.index("reason"), "reason", text))


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


def yaml_bomb() -> bytes:
    lines = ["a0: &a0 {x: 1, y: 2}", *(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)
    )]  # fmt: skip
    return "\n".join(lines).encode()


def yaml_merges() -> bytes:
    lines = ["a0: &a0 {x: 1, y: 2}", *(
        f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 9)
    )]  # fmt: skip
    return "\n".join(lines).encode()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
) | st.sampled_from([10**400, -1, 3_000_000, float("inf"), float("nan"), "", "x" * 100_000])
TEXTS = st.text(max_size=8) | st.sampled_from(
    [deep(10_000), '{"a": 1, "a": 2}', "[]", "{}", '{"rho": 1e999}', "<script>", "x" * 100_000]
)
NUMBERS = st.floats() | st.integers(-(2**63), 2**63 - 1)
ODD_BYTES = st.binary(max_size=64) | st.sampled_from(
    [deep(100_000).encode(), b"{" * 9, b'{"a":' * 5000 + b"1" + b"}" * 5000, yaml_bomb(),
     yaml_merges(), b"a: 2026-01-01", b"a: !!python/object:os.system x", b"1e999", b"NaN",
     b"- " * 5000, b"shards: 3000000\nshard: 0\nexperiment: {}\n", b"? {a: 1}\n: 2\n", b""]
)  # fmt: skip

KINDS = ("pipe", "folder", "file", "outside", "zero", "circle", "figures", "none")

HARMS: st.SearchStrategy[Harm] = st.one_of(
    st.builds(put, st.sampled_from(FILES), ODD_BYTES),
    st.builds(cut, st.sampled_from(FILES), st.floats(0, 1)),
    st.builds(flip, st.sampled_from(FILES), st.floats(0, 1), st.integers(1, 255)),
    st.builds(
        set_value, st.sampled_from(("config.yaml", *JSON_FILES)), st.integers(0, 40), VALUES
    ),
    st.builds(set_status, st.sampled_from(["seconds", "halved", "codes", "updated"]), VALUES),
    st.builds(
        set_column, st.sampled_from(list(ROW_COLUMNS)), TEXTS | NUMBERS | st.none(), st.booleans()
    ),
    st.builds(
        replace, st.sampled_from(PLACES),
        st.sampled_from(KINDS),
    ),
    st.just(change_rows(lambda rows: pd.concat([rows, rows]))),
    st.sampled_from(list(ROW_COLUMNS)).map(
        lambda name: change_rows(lambda rows: rows.drop(columns=[name], errors="ignore"))
    ),
)  # fmt: skip
