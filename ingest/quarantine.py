"""The quarantine: refused rows as delivered, each with its reason, waiting for their owner, a rule or a contract.

What waits is read off the landing alone (``state.py``), so this room has no state of its own. Values of persons are in
``row_json`` and nowhere else; whoever reads them leaves a line in the access log.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ingest.contract import FILES, Contract
from ingest.judge import quote_text, register_functions
from ingest.landing_folder import LandingFolder
from ingest.receipt import Part
from ingest.registry import SOURCES, read_source, source_names
from ingest.state import QUARANTINE, QUARANTINE_STATE, Landed, current_quarantine
from warehouse.access_log import note_access
from warehouse.duck import connect, take_rows
from warehouse.home import Home

# What a waiting row has besides the columns of the quarantine: its id, and what its delivery's receipt says.
OF_THE_RECEIPT = {
    "district": "VARCHAR",
    "delivered_month": "VARCHAR",
    "version": "INTEGER",
    "kind": "VARCHAR",
    "encoding": "VARCHAR",
    "headers": "VARCHAR",
}
WAITING = {"quarantine_id": "VARCHAR"} | QUARANTINE | QUARANTINE_STATE | OF_THE_RECEIPT
# The id of a row is a digest of what never changes: its delivery and its place in it.
QUARANTINE_ID = "left(sha256(concat(delivery_id, chr(10), position)), 16)"


class NotWaiting(Exception):
    """No row waits under that name; one sentence."""


@dataclass(frozen=True)
class WaitingRow:
    """One row in quarantine, without its values. ``age_days``: whole days since it was first seen."""

    quarantine_id: str
    source_system: str
    entity: str
    delivery_id: str
    position: str
    district: str | None
    reason_code: str
    message: str
    first_seen_at: datetime
    age_days: int
    owner: str


@dataclass(frozen=True)
class ShownRow:
    """One row in quarantine with the names of its fields; ``values`` only when they were asked for."""

    row: WaitingRow
    fields: tuple[str, ...]
    values: dict[str, str | None] | None


def chosen_contracts(source: str | None, sources: Path = SOURCES) -> list[Contract]:
    """The contract of ``source``, or of all. Raises ``ContractError``."""
    return [read_source(name, sources) for name in ([source] if source is not None else source_names(sources))]


def open_quarantine(home: Home, contracts: Sequence[Contract]) -> duckdb.DuckDBPyConnection:
    """An engine with the table ``waiting``: one row per row that waits now, columns ``WAITING``."""
    duck = connect(extensions=("icu", "json"))
    register_functions(duck)
    columns = ", ".join(f"{name} {kind}" for name, kind in WAITING.items())
    duck.execute(f"CREATE TEMP TABLE waiting ({columns})")
    for contract in contracts:
        folder = LandingFolder(home, contract.source)
        parts = folder.parts()
        _register_receipts(duck, parts)
        for entity in contract.entities:
            refused = current_quarantine(contract, Landed.of(entity, folder.root, parts))
            if refused is not None:
                kept = ", ".join((*QUARANTINE, *QUARANTINE_STATE))
                duck.execute(
                    f"INSERT INTO waiting SELECT {QUARANTINE_ID}, {kept}, {', '.join(OF_THE_RECEIPT)} "
                    f"FROM ({refused}) LEFT JOIN receipts USING (delivery_id)"
                )
    return duck


def _register_receipts(duck: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Temp table ``receipts``: what the receipts of deliveries with quarantined rows say of their layout."""
    said = [receipt for part in parts for receipt in part.receipts if receipt.rows_quarantined]
    facts = [receipt.facts or {} for receipt in said]
    table = pa.table(
        {
            "delivery_id": pa.array([receipt.delivery_id for receipt in said], pa.string()),
            "district": pa.array([receipt.district for receipt in said], pa.string()),
            "delivered_month": pa.array([receipt.delivered_month for receipt in said], pa.string()),
            "version": pa.array([receipt.version for receipt in said], pa.int32()),
            "kind": pa.array([fact.get("kind") for fact in facts], pa.string()),
            "encoding": pa.array([fact.get("encoding") for fact in facts], pa.string()),
            "headers": pa.array([_join_headers(fact.get("headers") or []) for fact in facts], pa.string()),
        }
    )
    take_rows(duck, "receipts", table)


def _join_headers(sheets: Sequence[Sequence[str]]) -> str | None:
    """The headers of a file as one JSON list: those of its first sheet, then what only others have."""
    names = list(dict.fromkeys(header.strip() for sheet in sheets for header in sheet if header.strip()))
    return json.dumps(names, ensure_ascii=False) if names else None


def read_value(field: str, row: str = "row_json") -> str:
    """SQL: a field of a row as delivered, as text. A long decimal keeps every digit, which ``->>`` would round."""
    number = rf"'[{{,]\"{field}\":(-?\d+\.\d+)[,}}]'"
    return f"coalesce(nullif(regexp_extract({row}, {number}, 1), ''), {row} ->> '$.{field}')"


def filter_waiting(reason: str | None, district: str | None) -> str:
    """SQL condition over ``waiting``."""
    said = {"reason_code": reason, "district": district}
    return " AND ".join(f"{name} = {quote_text(value)}" for name, value in said.items() if value is not None) or "true"


_LISTED = (
    "quarantine_id, source_system, entity, delivery_id, position, district, reason_code, message, "
    "epoch_us(first_seen_at), owner"
)
# Positions are counted like "sheet 1 row 12": the longer of two comes later.
_ORDER = "source_system, delivery_id, length(position), position, quarantine_id"


def list_waiting(
    home: Home,
    *,
    source: str | None = None,
    reason: str | None = None,
    district: str | None = None,
    limit: int | None = None,
    now: datetime | None = None,
    sources: Path = SOURCES,
) -> tuple[list[WaitingRow], int]:
    """Rows that wait, in the order of delivery, at most ``limit``; and how many there are. Raises ``ContractError``."""
    duck = open_quarantine(home, chosen_contracts(source, sources))
    try:
        where = filter_waiting(reason, district)
        found = duck.execute(f"SELECT count(*) FROM waiting WHERE {where}").fetchone()
        most = "" if limit is None else f" LIMIT {limit:d}"
        rows = duck.execute(f"SELECT {_LISTED} FROM waiting WHERE {where} ORDER BY {_ORDER}{most}").fetchall()
    finally:
        duck.close()
    return [_waiting_row(row, now or datetime.now(UTC)) for row in rows], 0 if found is None else int(found[0])


def _waiting_row(row: Sequence[Any], now: datetime) -> WaitingRow:
    """A row of ``_LISTED``."""
    *said, seen_us, owner = row
    seen = datetime.fromtimestamp(seen_us / 1_000_000, UTC)
    return WaitingRow(*(*said, seen, max((now - seen).days, 0), owner))


def show_waiting(
    home: Home, name: str, position: str | None = None, *, reveal: bool = False, sources: Path = SOURCES
) -> list[ShownRow]:
    """The rows called ``name``: a quarantine id, or with ``position`` a delivery. ``reveal``: with the values, noted.

    Raises ``NotWaiting`` when there is none, ``ContractError``.
    """
    duck = open_quarantine(home, chosen_contracts(None, sources))
    try:
        where, said = "quarantine_id = ?", [name]
        if position is not None:
            where, said = "delivery_id = ? AND position = ?", [name, position]
        rows = duck.execute(f"SELECT {_LISTED}, row_json FROM waiting WHERE {where} ORDER BY {_ORDER}", said).fetchall()
    finally:
        duck.close()
    if not rows:
        place = name if position is None else f"{name}, {position}"
        raise NotWaiting(f"no row waits in quarantine under {place}; rongtong quarantine list shows those that do.")
    if reveal:
        note_quarantine_access(home, "show", [row[0] for row in rows])
    now = datetime.now(UTC)
    return [_shown_row(row, now, reveal=reveal) for row in rows]


def _shown_row(row: Sequence[Any], now: datetime, *, reveal: bool) -> ShownRow:
    delivered = json.loads(row[-1], parse_float=str, parse_int=str)
    values = {name: None if value is None else str(value) for name, value in delivered.items()}
    return ShownRow(_waiting_row(row[:-1], now), tuple(values), values if reveal else None)


def note_quarantine_access(home: Home, action: str, quarantine_ids: Sequence[str]) -> None:
    """Note who read values of quarantined rows, beside the landing."""
    note_access(home, home.landing, f"quarantine {action}", quarantine_ids)


def headers_of(contract: Contract, entity_name: str) -> dict[str, str]:
    """Field → the name that its owner knows it by, where no delivered header says otherwise."""
    entity = contract.entity(entity_name)
    if contract.kind == FILES:
        return {field.name: field.headers[0] for field in entity.fields}
    if contract.kind == "http":
        return {field.name: ".".join(field.path) for field in entity.fields}
    return {field.name: field.column for field in entity.fields}
