"""Files that the command writes: refused before anything is trained, and written whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def problem_of(file: Path, endings: Sequence[str]) -> str:
    """Why a file cannot be written; "" where it can, as a trial in its folder shows."""
    if file.suffix.lower() not in endings:
        return f"expected a file name in {' '.join(endings)}, got {str(file)!r}"
    if file.is_dir():
        return f"expected a file, got the folder {str(file)!r}: add a name"
    try:
        with tempfile.TemporaryFile(dir=file.parent):
            return ""
    except OSError as error:
        return (
            f"expected a path that can be written, got {str(file)!r} ({error.strerror}): "
            "make the folder, or take another"
        )


@contextmanager
def written_whole(file: Path) -> Iterator[Path]:
    """A file to write into. It becomes `file` when all is written."""
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".mine-") as folder:
        yield Path(folder) / file.name
        os.replace(Path(folder) / file.name, file)
