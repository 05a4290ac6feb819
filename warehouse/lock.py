"""A right that one process holds at a time, as a lock on a file; the system gives it back however the holder ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Held(RuntimeError):
    """Another process has the lock; ``holder`` is what it wrote into the file, if anything."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


@contextmanager
def take_lock(path: Path, wait_seconds: float = 0) -> Iterator[None]:
    """Hold the lock on ``path``, which is made for its owner only and then tells the number of this process.

    Raises ``Held`` when another process has it for longer than ``wait_seconds``; ``OSError``.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait(descriptor, time.monotonic() + wait_seconds)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise Held(os.pread(descriptor, 20, 0).decode(errors="replace").strip()) from None
        time.sleep(0.1)
