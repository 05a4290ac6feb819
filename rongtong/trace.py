"""From a published cell back to delivery, file and row: the chosen statement, its rule, and the competing ones.

Statements lie in the restricted lake, deliveries in the published one, rows as they came in the landing. The row is
looked up in the very delivery that the published snapshot read, so a record that has changed since is still found.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pyarrow as pa

from ingest.contract import ContractError
from ingest.judge import quote_name
from ingest.landing_folder import LandingFolder
from ingest.receipt import Receipt
from ingest.registry import read_source
from ingest.state import Landed
from warehouse.duck import connect, take_rows
from warehouse.home import Home
from warehouse.lake import NOTHING, NothingPublished, attach_published, attach_restricted, snapshots_of, tables_of
from warehouse.rooms import PUBLISHED, RESTRICTED, SCHEMA

ACCESS_LOG = "access.jsonl"
# Published column → the attribute whose statements it follows from; an attribute may be asked for by its own name too.
ATTRIBUTES = {
    "name_masked": "name",
    "sex": "sex",
    "birth_year": "birth_date",
    "birth_date_precision": "birth_date",
    "hukou_district": "hukou_district",
    "managing_district": "managing_district",
    "life_status": "death_date",
    "death_date": "death_date",
    "death_date_precision": "death_date",
    "has_certain_death": "death_date",
    "marital_status": "marital_status",
    "spouse_citizen_id": "marital_status",
    **{
        name: name
        for name in (
            "name",
            "birth_date",
            "id_no",
            "other_document_no",
            "certificate_id_no",
            "phone",
            "address",
            "bank_account",
        )
    },
}
# Attributes whose values stand in the published lake as they are; of others no more than the published form is shown.
OPEN = frozenset({"sex", "hukou_district", "managing_district", "death_date", "marital_status"})
MARITAL_WORDS = {"20": "married", "30": "widowed", "40": "divorced"}
WITHHELD = "(withheld; --reveal shows it)"


class TraceUnknown(LookupError):
    """Nothing of that name can be traced; one sentence with the mend."""


@dataclass(frozen=True)
class Place:
    """Where a record lies: its delivery, and file and row in it; ``values`` is the row as delivered."""

    delivery_id: str
    position: str | None
    file: str | None
    sheet: int | None
    row: int | None
    kept_as: str | None
    received_at: str | None
    load_id: str | None
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class Statement:
    """One statement about a citizen, with the place of the record that made it last (none: the landing is gone)."""

    citizen_id: str
    attribute: str
    value: str
    origin: str
    is_chosen: bool
    is_tied: bool
    rule: str | None
    is_withdrawn: bool
    role: str
    said_on: date | None
    seen_from: date | None
    seen_to: date | None
    record_count: int
    source_system: str
    source_table: str
    source_record_id: str
    delivery_id: str | None
    place: Place | None = None


@dataclass(frozen=True)
class BenefitMonth:
    """One month that a payment covers, as published."""

    benefit: str
    benefit_month: date
    managing_district: str
    amount_yuan: str
    paid_on: date | None
    citizen_id: str | None
    source_system: str


_STATEMENTS = f"""
WITH said AS MATERIALIZED (
    SELECT a.* FROM {RESTRICTED}.{SCHEMA}.citizen_attributes AS a INNER JOIN cells USING (citizen_id, attribute)
),
deliveries AS (
    SELECT source_system, source_table, source_record_id, max(delivery_id) AS delivery_id
    FROM {PUBLISHED}.{SCHEMA}.citizen_mentions
    SEMI JOIN said USING (source_system, source_table, source_record_id)
    GROUP BY ALL
)
SELECT
    citizen_id, attribute, value, origin, is_chosen, is_tied, rule, is_withdrawn, role,
    said_on, seen_from, seen_to, record_count, source_system, source_table, source_record_id, delivery_id
FROM said LEFT JOIN deliveries USING (source_system, source_table, source_record_id)
ORDER BY citizen_id, attribute, is_chosen DESC, is_withdrawn, said_on DESC NULLS LAST, seen_to DESC, value,
    source_system, source_table, source_record_id, role, origin
"""


def attribute_of(column: str) -> str:
    """The attribute behind a published column. Raises ``TraceUnknown``."""
    if column not in ATTRIBUTES:
        raise TraceUnknown(f"{column} follows from no statement; what can be traced: {', '.join(sorted(ATTRIBUTES))}.")
    return ATTRIBUTES[column]


def trace_cells(home: Home, cells: Iterable[tuple[str, str]]) -> list[Statement]:
    """Every statement about the given (citizen_id, attribute) cells, chosen ones first, each with its place.

    Raises ``NothingPublished``, ``LakeUnusable``, ``LakeBusy``.
    """
    with connect(extensions=["icu", "json"]) as connection:
        attach_published(connection, home)
        attach_restricted(connection, home)
        if not snapshots_of(connection, PUBLISHED):
            raise NothingPublished(NOTHING)
        take_rows(connection, "cells", _texts(("citizen_id", "attribute"), set(cells)))
        rows = connection.execute(_STATEMENTS).fetchall()
        connection.execute(f"DETACH {RESTRICTED}")
    said = [Statement(*row) for row in rows]
    places = find_places(
        home, {(s.source_system, s.source_table, s.source_record_id, s.delivery_id) for s in said if s.delivery_id}
    )
    return [
        Statement(**vars(s) | {"place": places.get((s.source_system, s.source_table, s.source_record_id))})
        for s in said
    ]


def _texts(names: Sequence[str], rows: Iterable[Sequence[str | None]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})


def find_places(home: Home, records: Iterable[tuple[str, str, str, str | None]]) -> dict[tuple[str, str, str], Place]:
    """Place of each record (source system, table, record id, delivery), as far as the landing still holds it."""
    wanted: dict[tuple[str, str], list[tuple[str, str | None]]] = {}
    for system, table, record, delivery in records:
        wanted.setdefault((system, table), []).append((record, delivery))
    found: dict[tuple[str, str, str], Place] = {}
    with connect(extensions=["icu", "json"]) as connection:
        for (system, table), ids in sorted(wanted.items()):
            for record, place in _places_of(connection, home, system, table, ids):
                found[system, table, record] = place
    return found


def _places_of(
    connection: duckdb.DuckDBPyConnection, home: Home, system: str, table: str, ids: Sequence[tuple[str, str | None]]
) -> Iterable[tuple[str, Place]]:
    try:
        contract = read_source(system)
        entity = contract.entity(table)
    except (ContractError, KeyError):
        # A source that was taken out of the tree: what it said is published still, its rows cannot be read.
        return
    folder = LandingFolder(home, system)
    landed = Landed.of(entity, folder.root, folder.parts())
    rows = landed.rows()
    if rows is None:
        return
    take_rows(connection, "wanted", _texts(("record", "delivery"), ids))
    columns = [row[0] for row in connection.execute(f"DESCRIBE FROM {rows}").fetchall()]
    raw = [name for name in columns if name.startswith("raw_")] or [name for name in columns if name[0] != "_"]
    placed = [f"r.{name}" if name in columns else f"NULL AS {name}" for name in ("_sheet", "_row")]
    chosen = ", ".join(f"CAST(r.{quote_name(name)} AS VARCHAR) AS {quote_name(name)}" for name in raw)
    found = connection.execute(
        f"SELECT r._source_record_id, r._delivery_id, r._position, {', '.join(placed)}, {chosen} FROM {rows} AS r "
        "INNER JOIN wanted AS w ON r._source_record_id = w.record AND r._delivery_id = w.delivery "
        "QUALIFY row_number() OVER (PARTITION BY r._source_record_id ORDER BY r._part DESC) = 1"
    )
    receipts = {receipt.delivery_id: receipt for _, receipt in landed.receipts}
    names = [name.removeprefix("raw_") for name in raw]
    for record, delivery, position, sheet, row, *values in found.fetchall():
        yield (
            record,
            _place(receipts.get(delivery), delivery, position, sheet, row, dict(zip(names, values, strict=True))),
        )


def _place(
    receipt: Receipt | None,
    delivery: str,
    position: str | None,
    sheet: int | None,
    row: int | None,
    values: dict[str, str | None],
) -> Place:
    facts = (receipt.facts if receipt else None) or {}
    return Place(
        delivery_id=delivery,
        position=position,
        file=facts.get("path"),
        sheet=sheet,
        row=row,
        kept_as=receipt.raw_files[0] if receipt and receipt.raw_files else None,
        received_at=receipt.received_at if receipt else None,
        load_id=receipt.load_id if receipt else None,
        values=values,
    )


def published_cell(home: Home, citizen: str, column: str) -> tuple[str, Any]:
    """The citizen's present id (a retired one is followed) and what ``citizens`` says in ``column`` (None: no column).

    Raises ``TraceUnknown`` for a citizen who does not exist, ``NothingPublished``.
    """
    with connect(extensions=["icu"]) as connection:
        attach_published(connection, home)
        if "citizens" not in tables_of(connection, PUBLISHED):
            raise NothingPublished(NOTHING)
        schema = f"{PUBLISHED}.{SCHEMA}"
        redirect = connection.execute(
            f"SELECT citizen_id FROM {schema}.citizen_redirects WHERE old_citizen_id = ? AND reason = 'merge'"
            " ORDER BY happened_at DESC LIMIT 1",
            [citizen],
        ).fetchone()
        present = str(redirect[0]) if redirect else citizen
        columns = {row[0] for row in connection.execute(f"DESCRIBE {schema}.citizens").fetchall()}
        shown = quote_name(column) if column in columns else "NULL"
        row = connection.execute(f"SELECT {shown} FROM {schema}.citizens WHERE citizen_id = ?", [present]).fetchone()
    if row is None:
        raise TraceUnknown(f"there is no citizen {citizen}; ids stand in the published table citizens.")
    return present, row[0]


def trace_payment(home: Home, record: str) -> tuple[list[BenefitMonth], dict[tuple[str, str, str], Place]]:
    """The benefit months of a payment record, and where that record lies.

    Raises ``TraceUnknown`` when no published month comes from it, ``NothingPublished``.
    """
    with connect(extensions=["icu"]) as connection:
        attach_published(connection, home)
        schema = f"{PUBLISHED}.{SCHEMA}"
        months = [
            BenefitMonth(*row)
            for row in connection.execute(
                "SELECT benefit, benefit_month, managing_district, CAST(amount_yuan AS VARCHAR), paid_on, citizen_id,"
                f" source_system FROM {schema}.benefit_months WHERE source_record_id = ? ORDER BY ALL",
                [record],
            ).fetchall()
        ]
        mentions = connection.execute(
            "SELECT DISTINCT source_system, source_table, source_record_id, delivery_id"
            f" FROM {schema}.citizen_mentions WHERE source_record_id = ?",
            [record],
        ).fetchall()
    if not months:
        raise TraceUnknown(f"no published benefit month comes from the record {record}.")
    systems = {month.source_system for month in months}
    return months, find_places(home, [mention for mention in mentions if mention[0] in systems])


def shown_value(attribute: str, value: str) -> str:
    """A value as far as the published lake may show it."""
    if attribute == "marital_status":
        return MARITAL_WORDS.get(value, value)
    if attribute in OPEN:
        return value
    if attribute == "birth_date":
        return value[:4]
    if attribute == "name":
        is_han = not re.search(r"[A-Za-z·\s.'-]", value)
        return value[:1] + "*" * (max(len(value) - 1, 1) if is_han else 2)
    return WITHHELD


def note_access(home: Home, citizen: str, attribute: str) -> None:
    """Note that somebody read values of a citizen: one line in ``landing/access.jsonl``, never a value."""
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "user_id": os.getuid(),
        "action": "trace",
        "citizen_id": citizen,
        "attribute": attribute,
    }
    file = home.private_folder(home.landing) / ACCESS_LOG
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, (json.dumps(line) + "\n").encode())
    finally:
        os.close(handle)


__all__ = [
    "Place",
    "Statement",
    "TraceUnknown",
    "attribute_of",
    "find_places",
    "note_access",
    "published_cell",
    "shown_value",
    "trace_cells",
    "trace_payment",
]
