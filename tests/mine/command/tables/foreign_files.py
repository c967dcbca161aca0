"""Files from elsewhere: ways to make one, and what the command must do with it all the same."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import resource
import time
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner, Result
from hypothesis import strategies as st

from mine.command.main import command

SECONDS, MEMORY = 20.0, 1 << 30
WAITING = 3  # times as long by the clock: other programs may be at work
ROWS = 40


class Foreign(NamedTuple):
    """A file: the ending of its name, and its bytes."""

    ending: str
    content: bytes

    def __repr__(self) -> str:
        return f"Foreign({self.ending!r}, {self.content[:400]!r}, of {len(self.content)} bytes)"


def check(folder: Path, file: Foreign) -> list[int]:
    """The commands on this file end in 0, 1 or 2, in a line, in time; nothing else is written.

    Returns the exit statuses.
    """
    path = folder / f"t{file.ending}"
    path.write_bytes(file.content)
    try:
        x, y = "01" if file.ending == ".npy" else "ab"
        words = ("matrix", str(path), "--method", "gaussian", "--drop-missing"), (
            "estimate", str(path), "--x", x, "--y", y, "--method", "ksg", "--json"
        )  # fmt: skip
        for of in words:
            warm_up(of[0])
        return [_check(folder, path, *of) for of in words]
    finally:
        path.unlink()


@cache
def warm_up(word: str) -> None:
    """Imports what the command imports: on a busy machine that alone takes most of a minute."""
    columns = {"matrix": (), "estimate": ("--x", "a", "--y", "b")}[word]
    for method in ("gaussian", "ksg"):
        words = (word, "-", *columns, "--method", method)
        CliRunner().invoke(command, words, input=whole()["csv"].content)


def _check(folder: Path, path: Path, *words: str) -> int:
    before, peak = sorted(folder.iterdir()), memory()
    began, worked = time.monotonic(), time.process_time()
    done = CliRunner().invoke(command, words, prog_name="mine")
    assert _is_exit(done), done.exception
    assert done.exit_code in (0, 1, 2), done.output
    lines = done.stderr.splitlines()
    assert all(line.startswith("mine: ") for line in lines), done.stderr
    assert bool(lines) >= bool(done.exit_code)
    assert not any(ord(c) < 32 and c not in "\n\t" for c in done.output), repr(done.output)
    assert time.process_time() - worked < SECONDS
    assert time.monotonic() - began < WAITING * SECONDS
    assert memory() - peak < MEMORY
    assert sorted(folder.iterdir()) == before and path.is_file()
    return done.exit_code


def _is_exit(done: Result) -> bool:
    return done.exception is None or isinstance(done.exception, SystemExit)


def memory() -> int:
    """The most bytes that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# Whole files


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    a = rng.normal(size=ROWS)
    return pd.DataFrame(
        {"a": a, "b": a + rng.normal(size=ROWS), "c": rng.choice(list("xy"), ROWS)}
    )


def written(write: Callable[[io.BytesIO], Any]) -> bytes:
    found = io.BytesIO()
    write(found)
    return found.getvalue()


def zipped(**members: bytes) -> bytes:
    def write(file: io.BytesIO) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return written(write)


def npy(shape: Any, descr: str, values: bytes) -> bytes:
    def write(file: io.BytesIO) -> None:
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(file, header)

    return written(write) + values


def whole() -> dict[str, Foreign]:
    table = frame()
    numbers = table[["a", "b"]].to_numpy()
    text = table.to_csv(index=False).encode()
    arrow = pa.Table.from_pandas(table)
    return {
        "csv": Foreign(".csv", text),
        "tsv": Foreign(".tsv", text.replace(b",", b"\t")),
        "npy": Foreign(".npy", written(lambda f: np.save(f, numbers))),
        "npz": Foreign(
            ".npz", written(lambda f: np.savez_compressed(f, a=numbers[:, 0], b=numbers[:, 1]))
        ),
        "parquet": Foreign(".parquet", written(lambda f: pq.write_table(arrow, f))),
        "gz": Foreign(".csv.gz", gzip.compress(text)),
        "bz2": Foreign(".csv", bz2.compress(text)),
        "xz": Foreign(".csv.xz", lzma.compress(text)),
        "zip": Foreign(".zip", zipped(**{"t.csv": text})),
        "feather": Foreign(".feather", written(lambda f: table.to_feather(f, compression="zstd"))),
        "json": Foreign(".json", table.to_json(orient="records").encode()),
    }


BOMBS = {
    "gz": lambda: Foreign(".csv", gzip.compress(b"a,b\n" + b"1.5,2.5\n" * (1 << 27))),
    "npz": lambda: Foreign(
        ".npz", zipped(**{f"{n}.npy": npy((1 << 27,), "<f8", bytes(1 << 30)) for n in "ab"})
    ),
    "parquet": lambda: Foreign(".parquet", written(_parquet_bomb)),
}
"""A file of some megabytes that unpacks to a gigabyte or more."""


def _parquet_bomb(file: io.BytesIO) -> None:
    text = pa.DictionaryArray.from_arrays(
        pa.array([0] * 300_000, pa.int32()), pa.array(["x" * (1 << 14)], pa.large_string())
    )
    pq.write_table(pa.table({"a": text, "b": text}), file)


# Strategies

ODD = st.binary(max_size=40) | st.sampled_from(
    [b"\x1b[31m", b"\0" * 9, b'"', b"\xff\xfe", b"\xef\xbb\xbf", b"1e999", b"nan",
     b"-1e308,1e308\n", b"$^$", b"," * 500, b"\n" * 500, b"#", b";", b"\t",
     b"0" * 5000, b"x" * 200_000, "٣,٤\n".encode(), b"1_000", b"1970-01-01",
     b"99999999-01-01", b"true"]
)  # fmt: skip


@st.composite
def harmed(draw: st.DrawFn) -> Foreign:
    """A whole file of which some bytes are others, are gone, or stand there twice."""
    file = draw(st.sampled_from(list(whole().values())))
    content = bytearray(file.content)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        place = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(["put", "insert", "cut", "drop", "twice"])):
            case "put":
                odd = draw(ODD)
                content[place : place + len(odd)] = odd
            case "insert":
                content[place:place] = draw(ODD)
            case "cut":
                del content[place:]
            case "drop":
                del content[place : place + draw(st.integers(1, 200))]
            case "twice":
                content[place:place] = content[place // 2 : place]
    endings = st.sampled_from([file.ending, ".csv", ".npy", ".npz", ".parquet", ".txt"])
    kept = draw(st.integers(0, 4))
    return Foreign(file.ending if kept else draw(endings), bytes(content))


NAMES = st.text(max_size=6) | st.sampled_from(["a", "b", "b$^$", "\x1b[2J", "q" * 100_000, "a,b"])
CELLS = st.one_of(
    st.floats(width=64).map(repr), st.integers().map(str), st.text(max_size=6),
    st.sampled_from(["", "NA", "1,5", "1.5e308", "-1e-320", "12 %", "€ 3", "2026-11-27", "inf"]),
)  # fmt: skip


@st.composite
def texts(draw: st.DrawFn) -> Foreign:
    """A table of text with a few odd names, cells and rows, in odd delimiters and encodings."""
    rows = [[f"{a:.3f}", f"{b:.3f}", c] for a, b, c in frame().itertuples(index=False)]
    rows = [["a", "b", "c"], *rows][: draw(st.integers(1, ROWS + 1))]
    for _ in range(draw(st.integers(0, 5))):
        row = draw(st.sampled_from(rows))
        match draw(st.sampled_from(["cell", "cell", "cell", "name", "longer", "shorter"])):
            case "cell" if row:
                row[draw(st.integers(0, len(row) - 1))] = draw(CELLS)
            case "name":
                rows[0][-1:] = [draw(NAMES)]
            case "longer":
                row.append(draw(CELLS))
            case "shorter":
                del row[-1:]
    delimiter = draw(st.sampled_from([",", ";", "\t", " ", "|"]))
    text = "\n".join(delimiter.join(cells) for cells in rows)
    encoding = draw(st.sampled_from(["utf-8", "utf-16", "latin-1", "utf-32", "cp1252"]))
    return Foreign(".csv", text.encode(encoding, "replace"))


SIZES = st.integers(-3, 50) | st.sampled_from([2**31, 2**62, 2**63 - 1, 2**64, 10**30])
KINDS = st.sampled_from(
    ["<f8", ">f4", "<f2", "<i8", "|u1", "|b1", "<c16", "|O", "<U3", "|S4", "<M8[D]", "<m8[ns]",
     "|V8", "<f16", "<U0", "[('a', '<f8')]", "<f8<f8"]
)  # fmt: skip


@st.composite
def arrays(draw: st.DrawFn) -> Foreign:
    """Arrays of any claimed shape and type, with values behind them or not."""

    def one() -> bytes:
        kind, values = draw(KINDS), draw(st.binary(min_size=1, max_size=64)) * ROWS
        shape: tuple[int, ...] = tuple(draw(st.lists(SIZES, max_size=3)))
        with contextlib.suppress(TypeError, ValueError):
            size = np.dtype(kind).itemsize
            if draw(st.booleans()) and size:  # an honest one
                shape = (len(values) // size // 2, 2)
                values = values[: 2 * size * shape[0]]
        return npy(shape, kind, values)

    if draw(st.booleans()):
        return Foreign(".npy", one())
    names = st.sampled_from(["a.npy", "b.npy", "../a.npy", "/b.npy", "c", "x:0.npy", ".npy"])
    return Foreign(".npz", zipped(**{name: one() for name in draw(st.sets(names, max_size=4))}))


LEAVES = st.sampled_from(
    [pa.float64(), pa.float16(), pa.int8(), pa.uint64(), pa.string(), pa.binary(), pa.bool_(),
     pa.date32(), pa.timestamp("ns"), pa.timestamp("us", "UTC"), pa.time32("s"), pa.duration("s"),
     pa.decimal128(9, 2), pa.null(), pa.list_(pa.float64()), pa.struct([("a", pa.int32())]),
     pa.dictionary(pa.int8(), pa.string()), pa.large_string()]
)  # fmt: skip
VALUES = st.one_of(
    st.none(), st.floats(), st.integers(-200, 200), st.text(max_size=4), st.booleans(),
    st.dates(), st.datetimes(), st.lists(st.floats(), max_size=2), st.binary(max_size=3),
)  # fmt: skip


@st.composite
def columns(draw: st.DrawFn) -> Foreign:
    """Parquet of any types and names, the same name twice among them."""
    rows, arrays, names = draw(st.integers(0, 60)), [], []
    if draw(st.booleans()):
        rows, names = ROWS, ["a", "b"]
        arrays = [pa.array(frame()[name]) for name in names]
    for _ in range(draw(st.integers(0, 4))):
        kind, few = draw(LEAVES), draw(st.lists(VALUES, min_size=1, max_size=5))
        values = (few * (rows // len(few) + 1))[:rows]
        try:
            arrays.append(pa.array(values, kind))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            arrays.append(pa.nulls(rows, kind))
        names.append(draw(NAMES))
    table = pa.Table.from_arrays(arrays, names=names)
    try:
        return Foreign(".parquet", written(lambda f: pq.write_table(table, f)))
    except (pa.ArrowException, ValueError):
        return Foreign(".parquet", b"PAR1")


FILES = harmed() | texts() | arrays() | columns()
