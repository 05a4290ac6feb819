"""Digests of the records of a file too large to hold: which of them stand in it more than once."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

# So many digests are compared at once, and looked over in such blocks.
SHARE, BLOCK = 1 << 20, 1 << 17


class Digests:
    """Eight bytes per row, in a file without a name until the whole file is known."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as this; __exit__ closes it
        self._count = 0

    def __enter__(self) -> Digests:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

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
