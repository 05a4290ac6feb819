"""Propose candidate pairs from the residual side: nodes without a sound number of their own, against every node."""

from __future__ import annotations

import duckdb

from identity import thresholds
from warehouse.digest import text_digest

# One row per rule: the rule's name and the key of a node, null when the node has none. A rule over a list unnests it.
_SCALAR = {
    "sound_number_head": "sound || '|' || substr(numbers[1], 1, 10)",
    "number_first14": "surname_sound || '|' || substr(numbers[1], 1, 14)",
    "number_last8": "surname_sound || '|' || right(numbers[1], 8)",
    "number_ends": "surname_sound || '|' || substr(numbers[1], 1, 10) || right(numbers[1], 4)",
    "sound_alone": "sound",
}
_LISTS: dict[str, tuple[str, str]] = {
    "sound_birth": ("birth_days", "sound || '|' || item"),
    "sound_phone": ("phones", "sound || '|' || item"),
    "sound_address": ("addresses", "sound || '|' || item"),
    "sound_household": ("households", "sound || '|' || item"),
    "sound_account": ("accounts", "sound || '|' || item"),
    "sound_kin": ("kin", "sound || '|' || item"),
    "sound_kin_name": ("kin_sounds", "sound || '|' || item"),
    "sound_district": ("districts", "sound || '|' || item"),
    "number_claim": ("claims", "item"),
    "surname_phone": ("phones", "surname_sound || '|' || item"),
    "surname_kin": ("kin", "surname_sound || '|' || item"),
    "surname_household": ("households", "surname_sound || '|' || item"),
    "surname_birth": ("birth_days", "surname_sound || '|' || sex || '|' || item"),
    "account": ("accounts", "item"),
    "birth_phone": ("birth_days", "item || '|' || phones[1]"),
    "birth_address": ("birth_days", "item || '|' || addresses[1]"),
    "birth_kin": ("birth_days", "item || '|' || kin[1]"),
    "given_birth": ("birth_days", "CASE WHEN length(given) > 1 THEN given || '|' || item END"),
}


RULES = (*_SCALAR, *_LISTS)


def create_pairs(connection: duckdb.DuckDBPyConnection) -> int:
    """Create ``pairs`` (left_node < right_node, rules) and return how many there are.

    A key too common by ``thresholds.BLOCK_LIMITS`` proposes nothing; two sound numbers are no pair, nor are a number
    that nobody can tell whose it is and another one that was disowned: both may be their bearers' own.
    """
    create_block_pairs(connection)
    for rule in RULES:
        keyed = keyed_nodes("nodes", rule)
        connection.execute(
            f"""
            INSERT INTO block_pairs
            WITH asked AS MATERIALIZED ({keyed} AND kind <> 'anchor'),
            known AS (SELECT * FROM ({keyed}) SEMI JOIN asked USING (block)
                      QUALIFY count(*) OVER (PARTITION BY block) <= {thresholds.BLOCK_LIMITS[rule]})
            SELECT DISTINCT least(asked.node, known.node), greatest(asked.node, known.node), '{rule}'
            FROM asked JOIN known ON asked.block = known.block AND asked.node <> known.node
            """
        )
    return settle_pairs(connection)


def create_block_pairs(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``block_pairs``, empty: one row per pair and rule that proposes it."""
    connection.execute(
        "CREATE OR REPLACE TABLE block_pairs (left_node BIGINT, right_node BIGINT, blocking_rule VARCHAR)"
    )


def settle_pairs(connection: duckdb.DuckDBPyConnection) -> int:
    """Create ``pairs`` from ``block_pairs`` by the standing of both ``nodes``, and return how many there are."""
    connection.execute(
        """
        CREATE OR REPLACE TABLE pairs AS
        WITH standings AS MATERIALIZED (
            SELECT node, number IS NOT NULL AS has_number, is_founder,
                   -- Nobody can tell whose number a conflict's is; it may be its own.
                   CASE WHEN kind = 'conflict' THEN number END AS open_number,
                   CASE WHEN kind = 'residual' THEN own_number END AS disowned_number
            FROM nodes
        )
        SELECT left_node, right_node, rules
        FROM (SELECT left_node, right_node, list_sort(list(blocking_rule)) AS rules FROM block_pairs GROUP BY ALL)
        JOIN standings AS l ON l.node = left_node JOIN standings AS r ON r.node = right_node
        WHERE NOT (l.has_number AND r.has_number) AND (l.is_founder OR r.is_founder)
          AND NOT coalesce(l.open_number <> r.disowned_number OR l.disowned_number <> r.open_number, false)
        ORDER BY left_node, right_node
        """
    )
    row = connection.execute("SELECT count(*) FROM pairs").fetchone()
    return int(row[0]) if row else 0


def keyed_nodes(relation: str, rule: str) -> str:
    """SQL: every node of ``relation`` with its block by ``rule``, if it has one.

    A list holds an item once, so a node is in a block once. Ends in a condition, so that one more can follow.
    """
    if rule in _SCALAR:
        key = _SCALAR[rule]
    else:
        column, key = _LISTS[rule]
        relation = f"(SELECT *, unnest({column}) AS item FROM {relation} WHERE len({column}) > 0)"
    return f"SELECT node, {text_digest(key)} AS block FROM {relation} WHERE {key} IS NOT NULL"
