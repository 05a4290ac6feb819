"""Memory that a chunk of a large delivery no longer needs goes back to the system before the next one is read."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import pyarrow as pa


def give_back() -> None:
    """Return free memory to the system: of Arrow's pool, and of the C library where it is glibc.

    Both keep what they have been given back: over the nine chunks of a workbook of 900,000 rows that was 120 MB, though
    what was in use stayed level.
    """
    pa.default_memory_pool().release_unused()
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    """The C library's call; None where it has none, as in musl or macOS."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
