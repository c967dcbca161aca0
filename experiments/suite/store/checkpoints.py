"""Checkpoints: the states of stacks in training, of which the last two are kept on disk.

``<stack>-<step>.safetensors`` holds the arrays and ``<stack>-<step>.json`` their checksum. The
JSON is written last: arrays without it are no checkpoint. Every file is checked before it is
used; where it is broken, the checkpoint before it is used. No file can run code: there is no
pickle.

``dealt.json`` lists the cells of each stack. A resumed run makes the same stacks, even on a
machine with more cores, because the last digits of a cell may depend on the size of its stack.

A checkpoint that cannot be written costs time, not results: this is logged, and training goes on.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.suite.store.errors import one_line
from experiments.suite.store.files import OutputError, write_atomic
from experiments.suite.store.lock import LockedError
from experiments.suite.store.reading import parse_json, read_file
from experiments.suite.store.serialising import json_bytes

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

KEPT = 2
DEALT = "dealt.json"
_NAME = re.compile(r"[0-9a-f]{16}-[0-9]{12}\.json")
_JSON_BYTES = 1 << 20
MOST_STATE_BYTES = 1 << 34
"""The size that no state of a stack has."""


class BrokenCheckpointError(ValueError):
    """The files of a checkpoint cannot be read, or do not belong together."""


@dataclass
class Checkpoints:
    """The checkpoints of one run; see `mine.running.run_options.Keeper`.

    Args:
        folder: where they are written; made with the first one.
        keys: the keys of the run's cells; a stack is named by the keys of its cells.
        every: seconds between two checkpoints of a stack.
        clock: gives seconds that never jump.
        code: the hash of the code that trains (see `code`).
        fenced: gives a `with` block inside which this process may write; see `Run.fenced`.
        keep_other_code: whether a stack goes on from a state that other code left.
    """

    folder: Path
    keys: Sequence[str]
    every: float
    clock: Callable[[], float]
    code: str = ""
    keep_other_code: bool = False
    fenced: Callable[[], AbstractContextManager[None]] = nullcontext
    saved: dict[str, float] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)

    def name(self, stack: tuple[int, ...]) -> str:
        """16 hex digits that name a stack of these cells, the same in every process."""
        text = ",".join(self.keys[i] for i in stack)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def load(self, stack: tuple[int, ...]) -> Iterator[dict[str, np.ndarray]]:
        """The states of this stack that are on disk and whole, the newest first."""
        self.saved[self.name(stack)] = self.clock()
        self.code_of(stack)  # noted before this code's states stand beside others
        for path in reversed(self._kept(self.name(stack))):
            try:
                state = read(path)
            except BrokenCheckpointError as error:
                log.warning("%s: the one before it is used, or the stack begins anew", error)
            else:
                log.info("a stack of %d cells goes on from %s", len(stack), path.stem)
                yield state

    def due(self, stack: tuple[int, ...]) -> bool:
        """Whether it is time for the next checkpoint of this stack."""
        now = self.clock()
        return now - self.saved.setdefault(self.name(stack), now) >= self.every

    def save(self, stack: tuple[int, ...], state: Mapping[str, np.ndarray]) -> None:
        """Write a checkpoint of this stack, and remove all but the last two."""
        name = self.name(stack)
        self.saved[name] = self.clock()
        cells = [self.keys[i] for i in stack]
        stem = self.folder / f"{name}-{int(state['step']):012d}"
        try:
            with self.fenced():
                write(stem, state, cells, self.code_of(stack))
                for old in self._kept(name)[:-KEPT]:
                    _remove(old)
        except LockedError as error:
            log.info("a checkpoint was not written: %s", error)
        except OutputError as error:
            log.warning("a checkpoint could not be written, training goes on: %s", error)

    def deal(self, stacks: Sequence[tuple[int, ...]]) -> None:
        """Write down which cells make each stack."""
        cells = [[self.keys[i] for i in stack] for stack in stacks]
        try:
            with self.fenced():
                write_atomic(self.folder / DEALT, json_bytes({"code": self.code, "stacks": cells}))
        except OutputError as error:
            log.warning("how stacks are dealt could not be written, training goes on: %s", error)

    def stacks(self, missing: Sequence[int]) -> list[tuple[int, ...]]:
        """The stacks written down before whose cells are all missing; those with a state first.

        Each cell is in at most one of them; a cell that no stack was written down for is in none.
        """
        open_, index, found = set(missing), {key: i for i, key in enumerate(self.keys)}, []
        for cells in (*self._of_states(), *self._dealt()):
            stack = tuple(index.get(key, -1) for key in cells)
            if stack and open_.issuperset(stack) and len(set(stack)) == len(stack):
                open_.difference_update(stack)
                found.append(stack)
        return found

    def _of_states(self) -> Iterator[list[str]]:
        for path in sorted(p for p in self.folder.glob("*.json") if _NAME.fullmatch(p.name)):
            with suppress(BrokenCheckpointError):
                yield _describe(path)["cells"]

    def _dealt(self) -> list[list[str]]:
        try:
            found = parse_json(read_file(self.folder / DEALT))
        except (OSError, ValueError):
            return []
        if not isinstance(found, dict) or found.get("code") != self.code:
            return []
        stacks = found.get("stacks")
        lists = (
            [one for one in stacks if isinstance(one, list)] if isinstance(stacks, list) else []
        )
        return [cells for cells in lists if all(map(_is_text, cells))]

    def code_of(self, stack: tuple[int, ...]) -> str:
        """The code that trains a stack: 'a+b' where it goes on from a state of other code."""
        name = self.name(stack)
        if name not in self.codes:
            found = {self.code}
            for path in self._kept(name) if self.keep_other_code else ():
                with suppress(BrokenCheckpointError):
                    found.update(_describe(path)["code"].split("+"))
            self.codes[name] = "+".join(sorted(found))
        return self.codes[name]

    def drop_other_code(self) -> None:
        """Remove states that other code left, unless they are kept: no stack goes on from them."""
        if self.keep_other_code:
            return
        for path in sorted(p for p in self.folder.glob("*.json") if _NAME.fullmatch(p.name)):
            with suppress(BrokenCheckpointError), self.fenced():
                if _describe(path)["code"] != self.code:
                    log.info("the state %s is of other code: its stack begins anew", path.stem)
                    _remove(path)

    def discard(self, stack: tuple[int, ...]) -> None:
        """Remove the checkpoints of a stack whose rows are written."""
        with self.fenced():
            for path in self._kept(self.name(stack)):
                _remove(path)

    def clear(self) -> None:
        """Remove the checkpoints of all stacks, also of stacks that this run did not make."""
        with self.fenced():
            for path in self.folder.glob("*"):
                with suppress(OSError):  # such as a folder: the rows are written, it is in no way
                    path.unlink()
            with suppress(OSError):
                self.folder.rmdir()

    def _kept(self, name: str) -> list[Path]:
        return sorted(p for p in self.folder.glob(f"{name}-*.json") if _NAME.fullmatch(p.name))


def write(
    stem: Path, state: Mapping[str, np.ndarray], cells: Sequence[str], code: str = ""
) -> None:
    """Write one checkpoint, the arrays first.

    Raises:
        OutputError: the folder cannot be written.
    """
    import numpy as np
    from safetensors.numpy import save

    data = save({name: np.asarray(array, order="C") for name, array in state.items()})
    about = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "step": int(state["step"]),
        "cells": list(cells),
        "code": code,
    }
    write_atomic(stem.with_suffix(".safetensors"), data)
    write_atomic(stem.with_suffix(".json"), json_bytes(about))


def read(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of the checkpoint whose JSON is at `path`.

    Raises:
        BrokenCheckpointError: a file is missing, cut or changed, or no checkpoint.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    about = _describe(path)
    try:
        data = read_file(path.with_suffix(".safetensors"), MOST_STATE_BYTES)
        if about["sha256"] != hashlib.sha256(data).hexdigest():
            raise ValueError("a checksum that differs")
        arrays: dict[str, np.ndarray] = load(data)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise _broken(path, error) from error
    return arrays


def _describe(path: Path) -> dict[str, Any]:
    """The JSON of a checkpoint, checked."""
    try:
        about = parse_json(read_file(path, _JSON_BYTES))
        if not (isinstance(about, dict) and isinstance(about.get("sha256"), str)):
            raise ValueError("no checksum")
        if not (isinstance(about.get("cells"), list) and all(map(_is_text, about["cells"]))):
            raise ValueError("no cells")
        if not isinstance(about.setdefault("code", ""), str):
            raise ValueError("no code")
    except (OSError, ValueError) as error:
        raise _broken(path, error) from error
    return about


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _broken(path: Path, error: Exception) -> BrokenCheckpointError:
    return BrokenCheckpointError(
        f"expected a whole checkpoint at {path.with_suffix('')}, got {one_line(error)}"
    )


def _remove(path: Path) -> None:
    """Remove a checkpoint, the JSON first: arrays alone are no checkpoint."""
    for file in (path, path.with_suffix(".safetensors")):
        with suppress(OSError):
            file.unlink()
