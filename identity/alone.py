"""One run links at a time: two would take down ids from one ledger, each without knowing of the other's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from identity.citizen_id import LedgerUnusable
from warehouse.lock import Held, take_lock

LOCK_FILE = "run.lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the room in ``folder`` for one run; one that dies lets go. Raises ``LedgerUnusable`` if another has it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as held:
        try:
            held.enter_context(take_lock(folder / LOCK_FILE))
        except Held:
            raise LedgerUnusable("identity: another run is linking in this home; wait for it to end.") from None
        yield
