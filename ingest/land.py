"""The landing room's door: bring one source's deliveries in, judge every row, commit with receipts.

Nothing counts before its receipts are in place, so a landing may be killed at any moment and started again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ingest.connection import SCANNERS, Connection
from ingest.contract import DATABASE, FILES, HTTP, PYTHON, ContractError
from ingest.errors import SourceError
from ingest.landing_folder import LandingFolder
from ingest.load import Load, read_clock
from ingest.progress import Progress, tell_nobody
from ingest.receipt import Receipt
from ingest.registry import SOURCES, read_source
from warehouse.duck import begin_check
from warehouse.home import Home


@dataclass(frozen=True)
class LandingResult:
    """What one landing did: its receipts, and one sentence when the source could not be landed."""

    source: str
    load_id: str | None
    receipts: tuple[Receipt, ...] = ()
    error: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Sums over the receipts of this landing."""
        names = ("rows_read", "rows_accepted", "rows_quarantined", "rows_superseded", "rows_duplicate", "notices_count")
        return {
            "deliveries": len(self.receipts),
            "deliveries_refused": sum(receipt.state == "refused" for receipt in self.receipts),
        } | {name: sum(getattr(receipt, name) for receipt in self.receipts) for name in names}


def _connector(kind: str) -> Callable[[Load], None]:
    """The landing step of a kind of source. Imported here: a command that lands nothing need not wait for clients."""
    if kind == FILES:
        from ingest.land_files import land_files

        return land_files
    if kind == DATABASE:
        from ingest.land_database import land_database

        return land_database
    from ingest.land_records import land_http, land_python

    return {HTTP: land_http, PYTHON: land_python}[kind]


def land(
    source: str,
    connection: Connection | str,
    home: Home,
    *,
    progress: Progress | None = None,
    sources: Path = SOURCES,
    reconcile: bool = False,
    clock: Callable[[], datetime] = read_clock,
) -> LandingResult:
    """Land one source. ``connection``: as an object, or in Airflow's URI or JSON form.

    ``reconcile``: read everything and compare all keys now, though neither is due by the contract yet. ``clock`` says
    when this landing happens.

    What is wrong with the source comes back as ``error``, one sentence. Trouble of our own is raised: ``OSError``
    (disk), ``ConservationError``.
    """
    load: Load | None = None
    try:
        reached = Connection.from_uri(source, connection) if isinstance(connection, str) else connection
        if reached.kind in SCANNERS:
            begin_check(SCANNERS[reached.kind])
        contract = read_source(source, sources)
        folder = LandingFolder(home, source)
        with folder.writing():
            name = folder.next_load_id()
            load = Load(contract, reached, folder, name, progress or tell_nobody, reconcile, clock)
            _connector(contract.kind)(load)
    except (SourceError, ContractError) as error:
        load_id, receipts = (None, []) if load is None else (load.load_id, load.receipts)
        return LandingResult(source, load_id, tuple(receipts), str(error))
    return LandingResult(source, load.load_id, tuple(load.receipts))
