"""Errors as text, in one line."""

from __future__ import annotations

import traceback
from pathlib import Path


def one_line(error: BaseException) -> str:
    """The message of an error in one line; its type where it has no message."""
    return " ".join(str(error).split()) or type(error).__name__


def raised(error: BaseException) -> str:
    """Type, message and the line of ours that raised: KeyError: 'rte' (drift.py:52)."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in Path(frame.filename).parts]
    where = "".join(f" ({Path(frame.filename).name}:{frame.lineno})" for frame in ours[-1:])
    return f"{type(error).__name__}: {one_line(error)}{where}"
