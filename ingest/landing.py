"""The landing as the next room reads it: schema ``landing`` with the current rows of every source."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from ingest.contract import Contract, Entity
from ingest.judge import quote_name, quote_text
from ingest.landing_folder import LandingFolder
from ingest.receipt import REPLAYED, Part, Receipt
from ingest.registry import SOURCES, contracts
from ingest.state import QUARANTINE, Landed, columns_of, current_quarantine, current_rows, select_as
from warehouse.home import Home

DELIVERIES = {
    "delivery_id": "VARCHAR",
    "source_system": "VARCHAR",
    "entity": "VARCHAR",
    "district": "VARCHAR",
    "delivered_month": "VARCHAR",
    "version": "INTEGER",
    "state": "VARCHAR",
    "reason": "VARCHAR",
    "rows_read": "BIGINT",
    "rows_accepted": "BIGINT",
    "rows_quarantined": "BIGINT",
    "rows_superseded": "BIGINT",
    "rows_duplicate": "BIGINT",
    "notices_count": "BIGINT",
    "control_rows": "BIGINT",
    "control_sum": "DECIMAL(18, 2)",
    "content_hash": "VARCHAR",
    "received_at": "TIMESTAMP WITH TIME ZONE",
    "load_id": "VARCHAR",
}


def create_views(connection: duckdb.DuckDBPyConnection, home: Home, sources: Path = SOURCES) -> None:
    """Create schema ``landing`` in the open database: one table ``<source>__<entity>`` per entity, ``deliveries`` and
    ``quarantine``. Tables, so that the database stands alone. What was there is replaced.

    In ``deliveries`` a row that has since been replaced, deleted at its owner, or corrected counts as superseded: the
    accepted rows of all deliveries of an entity are exactly the rows of its table. Where a record may be sent again in
    another file, ``<source>__<entity>__replaced`` holds the rows of files that count whose record came again later.
    Raises ``ContractError`` when a contract is wrong.
    """
    connection.execute("CREATE SCHEMA IF NOT EXISTS landing")
    _create(connection, "quarantine", QUARANTINE)
    receipts: list[Receipt] = []
    relations: list[str] = []
    for contract in contracts(sources):
        folder = LandingFolder(home, contract.source)
        parts = folder.parts()
        receipts += [receipt for part in parts for receipt in part.receipts if receipt.state != REPLAYED]
        for entity in contract.entities:
            relations.append(_create_entity(connection, contract, entity, folder.root, parts))
    _create_deliveries(connection, receipts, relations)


def _create(connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str]) -> None:
    listed = ", ".join(f"{quote_name(column)} {kind}" for column, kind in columns.items())
    connection.execute(f"CREATE OR REPLACE TABLE landing.{quote_name(name)} ({listed})")


def _create_entity(
    connection: duckdb.DuckDBPyConnection, contract: Contract, entity: Entity, root: Path, parts: list[Part]
) -> str:
    name, columns = f"{contract.source}__{entity.name}", columns_of(contract, entity)
    landed = Landed.of(entity, root, parts)
    rows, refused = current_rows(contract, landed), current_quarantine(contract, landed)
    if rows is None:
        _create(connection, name, columns)
    else:
        held = [row[0] for row in connection.execute(f"DESCRIBE {rows}").fetchall()]
        connection.execute(f"CREATE OR REPLACE TABLE landing.{quote_name(name)} AS {select_as(columns, held, rows)}")
    if entity.latest_by_record:
        _create_replaced(connection, landed, name, columns)
    if refused is not None:
        connection.execute(f"INSERT INTO landing.quarantine SELECT {', '.join(QUARANTINE)} FROM ({refused})")
    return f"SELECT _delivery_id AS delivery_id FROM landing.{quote_name(name)}"


def _create_replaced(connection: duckdb.DuckDBPyConnection, landed: Landed, name: str, columns: dict[str, str]) -> None:
    replaced = f"{name}__replaced"
    _create(connection, replaced, columns)
    if (rows := landed.rows()) is None:
        return
    active = ", ".join(quote_text(delivery) for delivery in landed.active_deliveries())
    gone = (
        f"SELECT * FROM {rows} ANTI JOIN landing.{quote_name(name)} USING (_delivery_id, _sheet, _row)"
        f" WHERE _delivery_id IN ({active})"
    )
    held = [row[0] for row in connection.execute(f"DESCRIBE {gone}").fetchall()]
    connection.execute(f"INSERT INTO landing.{quote_name(replaced)} {select_as(columns, held, gone)}")


def _create_deliveries(connection: duckdb.DuckDBPyConnection, receipts: list[Receipt], relations: list[str]) -> None:
    _create(connection, "deliveries", DELIVERIES)
    if not receipts:
        return
    names = list(DELIVERIES)
    said = pa.table(
        {name: pa.array([_text(getattr(receipt, name)) for receipt in receipts], pa.string()) for name in names}
    )
    connection.register("receipts_said", said)
    counts = {
        "rows_accepted": "coalesce(kept.n, 0)",
        "rows_quarantined": "coalesce(waiting.n, 0)",
        "rows_superseded": "said.rows_superseded + said.rows_accepted - coalesce(kept.n, 0) "
        "+ said.rows_quarantined - coalesce(waiting.n, 0)",
    }
    typed = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in DELIVERIES.items())
    chosen = ", ".join(f"{counts.get(name, f'said.{name}')} AS {name}" for name in names)
    connection.execute(
        f"""
        INSERT INTO landing.deliveries
        SELECT {chosen}
        FROM (SELECT {typed} FROM receipts_said) AS said
        LEFT JOIN (SELECT delivery_id, count(*) AS n FROM ({" UNION ALL ".join(relations)}) GROUP BY 1) AS kept
            USING (delivery_id)
        LEFT JOIN (SELECT delivery_id, count(*) AS n FROM landing.quarantine GROUP BY 1) AS waiting USING (delivery_id)
        ORDER BY load_id, delivery_id
        """
    )
    connection.unregister("receipts_said")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
