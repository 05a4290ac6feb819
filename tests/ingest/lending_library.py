"""An invented lending library with a database of its own: its contract, its table, and how tests fill it."""

from __future__ import annotations

import duckdb
from owner_database import OwnerDatabase

CONTRACT = """
title: Library
owner: The library
release: shadow
freshness_days: 3
connector: {kind: database}
code_lists:
  kind: {loan: [loan], back: [back]}
entities:
  loan:
    title: One loan
    key: [id]
    record_id: "{id}"
    watermark: changed_at
    deletes: physical
    vanish_limit: 0.02
    fields:
      id: {type: integer, required: true}
      kind: {type: code, codes: kind, required: true}
      day: {type: date}
      fee: {type: "decimal(12,2)"}
      small: {type: integer}
      note: {}
      changed_at: {type: timestamptz, required: true}
"""
TABLE = (
    "CREATE TABLE loan (id bigint PRIMARY KEY, kind varchar(10), day date, fee numeric(12,2), small smallint, "
    "note varchar(200), changed_at timestamp NOT NULL)"
)


def fill(database: OwnerDatabase, *rows: str) -> None:
    database.execute(f"INSERT INTO loan VALUES {', '.join(rows)}")


def check_conservation(connection: duckdb.DuckDBPyConnection) -> None:
    """Every row read is in one place, and the accepted ones are those of the landing."""
    assert connection.execute(
        "SELECT count(*) FROM landing.deliveries "
        "WHERE rows_read <> rows_accepted + rows_quarantined + rows_superseded + rows_duplicate"
    ).fetchone() == (0,)
    said, kept, waiting, held = connection.execute(
        "SELECT (SELECT coalesce(sum(rows_accepted), 0) FROM landing.deliveries), "
        "(SELECT count(*) FROM landing.library__loan), "
        "(SELECT coalesce(sum(rows_quarantined), 0) FROM landing.deliveries), (SELECT count(*) FROM landing.quarantine)"
    ).fetchall()[0]
    assert (said, waiting) == (kept, held)
