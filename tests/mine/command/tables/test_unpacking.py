"""Compression is recognised by content; what unpacks to too much is refused in time."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mine.command.tables.columns import read_columns
from mine.command.tables.opening import open_table
from mine.command.tables.reading import Reading
from mine.command.tables.source import Source

Opened = Callable[[Path], Source]

TABLE = b"a,b\n1.5,2\n2.5,4\n"


def zipped(**members: bytes) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return found.getvalue()


PACKED = {
    ".gz": gzip.compress(TABLE),
    ".bz2": bz2.compress(TABLE),
    ".xz": lzma.compress(TABLE),
    ".zst": pa.Codec("zstd").compress(TABLE, asbytes=True),
    ".zip": zipped(t_csv=TABLE),
}


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("ending", PACKED)
def test_a_packed_table_is_read_whatever_its_name(
    opened: Opened, tmp_path: Path, ending: str, named: bool
) -> None:
    path = tmp_path / ("t.csv" + ending * named)
    path.write_bytes(PACKED[ending])
    source = opened(path)
    assert read_columns(source, ["a"]).values["a"].tolist() == [1.5, 2.5]
    assert bool(source.recognised) != named
    of_stdin = open_table("-", lambda: io.BytesIO(PACKED[ending]))
    assert read_columns(of_stdin, ["a"]).values["a"].tolist() == [1.5, 2.5]


def test_a_zip_of_several_files_is_refused(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "t.zip").write_bytes(zipped(a_csv=TABLE, b_csv=TABLE))
    with pytest.raises(ValueError, match=r"expected one file .* got 2 \('a.csv', 'b.csv'\)"):
        opened(tmp_path / "t.zip")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_what_unpacks_to_too_much_is_refused_before_it_is_all_read(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(pack(b"a,b\n" + b"1.5,2.5\n" * 500_000))
    with pytest.raises(ValueError, match=r"at most 0.003 GB of unpacked data, got 0.00\d+ GB"):
        read_columns(open_table(str(path), io.BytesIO, Reading(most_bytes=3 * 10**6)), ["a"])
    whole = read_columns(open_table(str(path), io.BytesIO), ["b"], whole=True)
    assert whole.rows == 500_000


def npy(shape: tuple[int, ...], values: bytes) -> bytes:
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + values


@pytest.mark.parametrize("shape", [(2**63 - 1, 2**63 - 1), (10, 10**9), (10**12,)])
def test_an_array_that_claims_more_than_the_file_has_is_refused(
    opened: Opened, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    content = npy(shape, bytes(800))
    (tmp_path / "t.npy").write_bytes(content)
    (tmp_path / "t.npz").write_bytes(zipped(x_npy=content))
    for name in ("t.npy", "t.npz"):
        with pytest.raises(ValueError, match=r"got 800 bytes of values in .* header claims"):
            opened(tmp_path / name)


def test_an_npz_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    path.write_bytes(zipped(x_npy=npy((500_000, 1), bytes(4 * 10**6)), y_npy=npy((5,), bytes(40))))
    source = open_table(str(path), io.BytesIO, Reading(most_bytes=10**6))
    assert len(source.read(["y"], ())["y"].values) == 5
    with pytest.raises(ValueError, match=r"at most 0.001 GB of unpacked data, got 0.004 GB"):
        source.read(["x:0"], ())
