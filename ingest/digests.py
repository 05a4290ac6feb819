"""Digests of the records of a file too large to hold: which of them stand in it more than once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

# So many digests are compared at once, and looked over in such blocks.
SHARE, BLOCK = 1 << 20, 1 << 17


@contextmanager
def digests_in(folder: Path) -> Iterator[Digests]:
    """No digests yet, in a file without a name under ``folder``; the disk has it back when the block ends."""
    with tempfile.TemporaryFile(dir=folder) as file:
        yield Digests(file)


class Digests:
    """Eight bytes per row, in a file of their own until the whole delivery is known; ``digests_in`` opens one."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._count = 0

    def add(self, digests: np.ndarray) -> None:
        """Take in the digests of a block."""
        self._file.write(np.ascontiguousarray(digests, dtype=np.uint64).tobytes())
        self._count += len(digests)

    def repeated(self, share: int = SHARE) -> np.ndarray:
        """The digests that were taken in more than once, looked for in about ``share`` of them at a time."""
        shares = np.uint64(self._count // share + 1)
        found = [self._repeated_in(np.uint64(number), shares) for number in range(int(shares))]
        return np.concatenate(found)

    def _repeated_in(self, number: np.uint64, shares: np.uint64) -> np.ndarray:
        self._file.seek(0)
        kept = [np.empty(0, np.uint64)]
        while block := self._file.read(BLOCK * 8):
            digests = np.frombuffer(block, np.uint64)
            kept.append(digests[digests % shares == number])
        own = np.sort(np.concatenate(kept))
        return np.unique(own[1:][own[1:] == own[:-1]])
