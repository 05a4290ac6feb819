"""Receipts: what became of every delivery. A file in the landing exists only when a receipt names it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ACCEPTED, REFUSED, IGNORED = "accepted", "refused", "ignored"
# No delivery: quarantined rows of earlier deliveries that were judged again and now count as accepted.
REPLAYED = "replayed"


class ConservationError(AssertionError):
    """Rows read and rows accounted for differ: our own code is wrong, and the landing stops."""


@dataclass(frozen=True)
class Receipt:
    """One delivery: a table's extract, an HTTP extract, or a file. Counts satisfy ``check_conservation``."""

    delivery_id: str
    source_system: str
    entity: str
    load_id: str
    received_at: str
    state: str = ACCEPTED
    reason: str | None = None
    rows_read: int = 0
    rows_accepted: int = 0
    rows_quarantined: int = 0
    rows_superseded: int = 0
    rows_duplicate: int = 0
    notices_count: int = 0
    notices: tuple[str, ...] = ()
    district: str | None = None
    delivered_month: str | None = None
    version: int | None = None
    control_rows: int | None = None
    control_sum: str | None = None
    content_hash: str | None = None
    contract_hash: str | None = None
    # Databases: rows of the owner's table and the owner's type of every column in use, as of the extract.
    source_rows: int | None = None
    column_types: dict[str, str] | None = None
    # Records with keys: how many are held and not deleted after this landing, and the last moment of change seen.
    records_held: int | None = None
    watermark: str | None = None
    # Whether everything was read, whatever the watermark says, and whether all keys were compared.
    is_whole: bool = False
    keys_compared: bool = False
    # What the file reader noted about a file, so that the next landing knows it again.
    facts: dict[str, Any] | None = None
    # Names of files relative to the source's folder; shared by the receipts of one part of a load.
    rows_files: tuple[str, ...] = ()
    quarantine_files: tuple[str, ...] = ()
    deleted_files: tuple[str, ...] = ()
    raw_files: tuple[str, ...] = ()

    def check_conservation(self) -> None:
        """Raises ``ConservationError`` unless every row read is in exactly one place."""
        placed = self.rows_accepted + self.rows_quarantined + self.rows_superseded + self.rows_duplicate
        if placed != self.rows_read:
            raise ConservationError(
                f"{self.delivery_id}: {self.rows_read} rows were read and {placed} are accounted for."
            )

    @property
    def named_files(self) -> tuple[str, ...]:
        """All files that this receipt vouches for."""
        return (*self.rows_files, *self.quarantine_files, *self.deleted_files, *self.raw_files)


@dataclass(frozen=True)
class Part:
    """One committed part of a load: its receipts, in the order of landing."""

    name: str
    receipts: tuple[Receipt, ...] = field(default_factory=tuple)


def read_parts(folder: Path) -> list[Part]:
    """All committed parts under ``folder`` (``receipts/``), oldest first."""
    return [Part(file.stem, tuple(_read(file))) for file in sorted(folder.glob("*.json"))]


def _read(file: Path) -> Iterable[Receipt]:
    for content in json.loads(file.read_text(encoding="utf-8")):
        lists = {key: tuple(value) for key, value in content.items() if isinstance(value, list)}
        yield Receipt(**(content | lists))


def format_receipts(receipts: Iterable[Receipt]) -> str:
    """The content of a receipts file."""
    return json.dumps([asdict(receipt) for receipt in receipts], ensure_ascii=False, indent=0)
