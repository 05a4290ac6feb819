"""Collapse records that say the same, and propose candidate pairs by the configuration's blocking keys."""

from __future__ import annotations

import duckdb

from identity.link.settings import Configuration
from identity.link.standardise import COLUMNS
from warehouse.digest import text_digest


def create_nodes(connection: duckdb.DuckDBPyConnection, configuration: Configuration) -> None:
    """Create ``nodes`` (one row per different content) and ``node_of`` (record → node), numbered by their content.

    A name alone is nobody: such records stay nodes of their own. So does every record of a source without doubles.
    """
    tells = "full_name IS NOT NULL AND coalesce(birth, id_no, phone, address) IS NOT NULL"
    apart = ", record" if configuration.unique_within_source else f", CASE WHEN NOT ({tells}) THEN record END"
    columns = ", ".join(COLUMNS)
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE node_of AS
        SELECT record, min(record) OVER (PARTITION BY {columns}{apart}) AS node FROM records;
        CREATE OR REPLACE TABLE nodes AS
        SELECT record AS node, source, {columns} FROM records
        WHERE record IN (SELECT node FROM node_of)
        """
    )


def create_pairs(connection: duckdb.DuckDBPyConnection, configuration: Configuration) -> int:
    """Create ``block_pairs`` (left_node < right_node, blocking_key) and ``pairs`` (distinct); return how many.

    A key that more nodes share than its limit proposes nothing. Two records of a source without doubles are no pair.
    """
    connection.execute(
        "CREATE OR REPLACE TABLE block_pairs (left_node BIGINT, right_node BIGINT, blocking_key VARCHAR)"
    )
    same_source = "AND l.source <> r.source" if configuration.unique_within_source else ""
    for rule in configuration.blocking:
        block = text_digest(f"CAST({rule.key} AS VARCHAR)")
        connection.execute(
            f"""
            INSERT INTO block_pairs
            WITH keyed AS (
                SELECT node, source, {block} AS block FROM nodes WHERE ({rule.key}) IS NOT NULL
                QUALIFY count(*) OVER (PARTITION BY block) BETWEEN 2 AND {rule.limit}
            )
            SELECT l.node, r.node, '{rule.name}' FROM keyed AS l
            JOIN keyed AS r ON l.block = r.block AND l.node < r.node {same_source}
            """
        )
    connection.execute("CREATE OR REPLACE TABLE pairs AS SELECT DISTINCT left_node, right_node FROM block_pairs")
    row = connection.execute("SELECT count(*) FROM pairs").fetchone()
    return int(row[0]) if row else 0
