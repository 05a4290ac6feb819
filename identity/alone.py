"""One run links at a time: two would take down ids from one ledger, each without knowing of the other's."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from identity.citizen_id import LedgerUnusable

LOCK_FILE = "run.lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the room in ``folder`` for one run; one that dies lets go. Raises ``LedgerUnusable`` if another has it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / LOCK_FILE).open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerUnusable("identity: another run is linking in this home; wait for it to end.") from None
        yield
