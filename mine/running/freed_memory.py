"""Memory that a worker has freed, kept for its next tensors.

The C library gives a large block back to the system as soon as it is freed. The next tensor then
gets fresh pages, which the system fills with zeros first. A training frees and takes the same
blocks at each step: with models of a few megabytes this took up to a fifth of its time.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as glibc's malloc.h names them
_KEPT_BYTES = 128 << 20  # that a worker keeps at most, beside what it uses
_BLOCK_BYTES = 32 << 20  # the largest block that is kept: glibc takes no more


def keep_freed_memory() -> None:
    """Keeps what this process frees. Does nothing where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _BLOCK_BYTES)
