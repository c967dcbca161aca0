"""Writing files: each is whole or not there, and a folder that cannot be written says so."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn


class OutputError(OSError):
    """The output folder cannot be written: one line that says expected, got and what to do."""


def write_atomic(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write `data`, or its pieces in order, to `path`, whole or not at all; make its folders.

    The bytes go to a temporary file beside `path`, are synced to disk, and take its name in one
    step. On any error the temporary file is removed, and the old file at `path` stays.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                file.writelines([data] if isinstance(data, bytes) else data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _sync_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        _refuse(path, len(data) if isinstance(data, bytes) else None, error)


def check_outputs(outputs: Path) -> None:
    """Make `outputs` and test that it can be written, before a run spends time.

    Raises:
        OutputError: as for `write_atomic`.
    """
    probe = outputs / f".probe-{uuid.uuid4().hex}"
    write_atomic(probe, b"x" * 4096)
    probe.unlink()


def _sync_folder(folder: Path) -> None:
    """Sync the entry of a renamed file, where the system lets folders be opened and synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refuse(path: Path, size: int | None, error: OSError) -> NoReturn:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        room = "enough room" if size is None else f"room for {size} bytes"
        expected, remedy = room, "free some space, or name another folder"
    else:
        expected, remedy = "a folder that can be written", "mend it, or name another folder"
    raise OutputError(
        f"expected {expected} at {path.parent}, got {error.strerror!r}: "
        f"{remedy} with outputs=<folder>"
    ) from error
