"""One landing in the making: shared by the connectors' landing steps."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from ingest.connection import Connection
from ingest.contract import Contract, Entity
from ingest.judge import quote_text, register_functions
from ingest.landing_folder import LandingFolder
from ingest.progress import Progress
from ingest.receipt import Part, Receipt
from ingest.state import QUARANTINE, QUARANTINE_STATE, Landed
from warehouse.duck import connect

# Landing streams: more memory would only hold what can as well be written. RONGTONG_MEMORY_LIMIT outranks it.
LANDING_MEMORY = "2GB"
LARGEST_DICTIONARY = 10_000


def read_clock() -> datetime:
    """Now."""
    return datetime.now(UTC)


@dataclass
class Load:
    """What the connectors need: contract, connection, folder, and the receipts committed so far.

    ``reconcile``: read everything and compare all keys, whatever is due.
    """

    contract: Contract
    connection: Connection
    folder: LandingFolder
    load_id: str
    progress: Progress
    reconcile: bool = False
    clock: Callable[[], datetime] = read_clock
    receipts: list[Receipt] = field(default_factory=list)
    _parts: int = 0
    _committed: list[Part] | None = None

    def open_duck(self, *extensions: str) -> duckdb.DuckDBPyConnection:
        """An engine for this load, with ``extensions``: in memory, spilling into the scratch folder."""
        duck = connect(extensions=("icu", "json", *extensions), temp_folder=self.folder.scratch())
        if "RONGTONG_MEMORY_LIMIT" not in os.environ:
            duck.execute(f"SET memory_limit = '{LANDING_MEMORY}'")
        register_functions(duck)
        return duck

    def next_part(self) -> str:
        """The name of the next part; parts are in order of landing."""
        self._parts += 1
        return f"{self.load_id}-{self._parts:04d}"

    def received_at(self) -> str:
        """Now, as receipts and rows write it."""
        return self.clock().isoformat(timespec="milliseconds")

    def landed(self, entity: Entity) -> Landed:
        """What is committed of one entity."""
        if self._committed is None:
            self._committed = self.folder.parts()
        return Landed.of(entity, self.folder.root, self._committed)

    def commit(self, part: str, files: Sequence[tuple[Path, str]], receipts: Sequence[Receipt]) -> None:
        """Make a part count and remember its receipts."""
        self.folder.commit(part, files, receipts)
        self.receipts.extend(receipts)
        if self._committed is not None:
            self._committed.append(Part(part, tuple(receipts)))

    def quarantine_columns(self, entity: Entity, part: str, received_at: str) -> str:
        """SQL select list that turns a judged row with breaches into a row of the quarantine."""
        said = {
            "source_system": quote_text(self.contract.source),
            "entity": quote_text(entity.name),
            "delivery_id": "_delivery_id",
            "position": "_position",
            "reason_code": "_breaches[1].code",
            "message": "list_aggregate(list_transform(_breaches, lambda breach: breach.message), 'string_agg', '; ')",
            "row_json": "_row_json",
            "first_seen_at": f"TIMESTAMPTZ {quote_text(received_at)}",
            "owner": quote_text(self.contract.owner),
            "_record_key": "coalesce(_source_record_id, '?' || _row_hash)",
            "_row_hash": "_row_hash",
            "_part": quote_text(part),
        }
        kinds = QUARANTINE | QUARANTINE_STATE
        return ", ".join(f"CAST({value} AS {kinds[name]}) AS {name}" for name, value in said.items())


# The lowest level takes a third less time than the usual one, for files of the same size; a dictionary of more words is
# mostly built in vain, for numbers that are all different.
KEPT = f"COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT {LARGEST_DICTIONARY}"
# In a few rows there is little to find twice: looking for it would take most of the time.
KEPT_FEW = "COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 1"
# A few rows that are read once and thrown away.
PASSING = "COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1"


def copy(duck: duckdb.DuckDBPyConnection, query: str, file: Path, form: str = KEPT) -> int:
    """Write the rows of ``query`` to a Parquet file; how many there were."""
    row = duck.execute(f"COPY ({query}) TO {quote_text(str(file))} (FORMAT parquet, {form})").fetchone()
    return 0 if row is None else int(row[0])
