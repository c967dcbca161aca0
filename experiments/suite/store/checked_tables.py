"""Tables on disk with their checksums, so that a cut or changed table is found and replaced.

``checksums.json`` holds the checksums of each table and of the table written before it
(``*.previous.parquet``). Where a table is broken, readers take the one before it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from experiments.suite.store.errors import one_line
from experiments.suite.store.files import write_atomic
from experiments.suite.store.reading import parse_json, read_file
from experiments.suite.store.serialising import json_bytes
from experiments.suite.store.table_bytes import read_parquet
from experiments.suite.store.tables import arrow_schema, conform_table

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)


RERUN = "run its command again, which mends it"
MOVE = "move it away, and run its command again"

MOST_TABLE_BYTES = 1 << 28
"""The size that no table of a run has."""


class CorruptRunError(ValueError):
    """A file of a run folder is missing or unreadable: one line says which, and what to do.

    Attributes:
        fault: what was expected and what came, without the folder and what to do.
        missing: whether the file is not there; a run that has only begun has not all of them.
    """

    def __init__(self, path: Path, fault: str, remedy: str = RERUN, missing: bool = False) -> None:
        super().__init__(f"{path}: {fault}: {remedy}")
        self.fault = f"{path.name}: {fault}"
        self.missing = missing


def refuse(path: Path, expected: str, got: str, cause: Exception | None = None) -> NoReturn:
    """Raise a CorruptRunError for a file of a run folder."""
    missing = isinstance(cause, FileNotFoundError)
    odd = path.is_symlink() or (path.exists() and not path.is_file())
    fault = f"expected {expected}, got {got}"
    raise CorruptRunError(path, fault, MOVE if odd else RERUN, missing) from cause


def write_table(folder: Path, name: str, data: bytes) -> None:
    """Write a table, its checksum, and a copy of the table before it.

    The checksums are written before the table and name both tables. So at any moment one of the
    two is whole, and its checksum is known.
    """
    known = checksums(folder)
    before = None
    with contextlib.suppress(OSError, ValueError):
        before = read_file(folder / name, MOST_TABLE_BYTES)
    acceptable = [_sha256(data)]
    if before is not None and _sha256(before) in known.get(name, [_sha256(before)]):
        acceptable.append(_sha256(before))
        if before != data:
            write_atomic(folder / _previous(name), before)
            known[_previous(name)] = [_sha256(before)]
    known[name] = acceptable
    write_atomic(folder / "checksums.json", json_bytes(known))
    write_atomic(folder / name, data)


def read_table(folder: Path, name: str, columns: Mapping[str, str]) -> pa.Table:
    """A table, empty where none was written; where it is broken, the one before it.

    Raises:
        CorruptRunError: the table is missing or broken, and so is the one before it.
    """
    known = checksums(folder)
    try:
        return _read_whole(folder, name, columns, known)
    except CorruptRunError as error:
        if checksums(folder) != known:  # a run wrote the table while it was read
            return read_table(folder, name, columns)
        if not (folder / _previous(name)).exists():
            raise
        found = _read_whole(folder, _previous(name), columns, known)
        log.warning("%s: the copy before it is used", error)
        return found


def table_fault(folder: Path, name: str) -> str:
    """What is wrong with the bytes of a table's file; "" for nothing."""
    known = checksums(folder)
    try:
        data = read_file(folder / name, MOST_TABLE_BYTES)
    except FileNotFoundError:
        return "expected a table, got none" if name in known else ""
    except (OSError, ValueError) as error:
        return f"expected a table, got {one_line(error)}"
    if name in known and _sha256(data) not in known[name]:
        if checksums(folder) != known:  # a run wrote the table while it was read
            return table_fault(folder, name)
        return "expected a readable table, got a checksum that differs"
    if name not in known and not (data.startswith(b"PAR1") and data.endswith(b"PAR1")):
        return "expected a readable table, got something else, or a part of one"
    return ""


def has_fallback(folder: Path, name: str) -> bool:
    """Whether the table before this one is there, and whole."""
    copy = _previous(name)
    return (folder / copy).exists() and not table_fault(folder, copy)


def checksums(folder: Path) -> dict[str, list[str]]:
    """Table -> the checksums that it may have; empty where they cannot be read."""
    try:
        found = parse_json(read_file(folder / "checksums.json"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: some for name, some in found.items() if _is_texts(some)}


def _read_whole(
    folder: Path, name: str, columns: Mapping[str, str], known: Mapping[str, Sequence[str]]
) -> pa.Table:
    import pyarrow as pa

    path = folder / name
    if not path.exists() and not path.is_symlink():
        if name not in known:
            return arrow_schema(columns).empty_table()
        refuse(path, "a table", "none")
    try:
        data = read_file(path, MOST_TABLE_BYTES)
        if name in known and _sha256(data) not in known[name]:
            raise ValueError("a checksum that differs: it was cut or changed")
        return conform_table(read_parquet(data), columns)
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        refuse(path, "a readable table", one_line(error), error)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _previous(name: str) -> str:
    stem, _, kind = name.rpartition(".")
    return f"{stem}.previous.{kind}"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
