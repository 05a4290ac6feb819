"""Propose candidate pairs from the residual side: nodes without a sound number of their own, against every node."""

from __future__ import annotations

import duckdb

from identity import thresholds

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


def create_pairs(connection: duckdb.DuckDBPyConnection) -> int:
    """Create ``pairs`` (left_node < right_node, rules) and return how many there are.

    A key too common by ``thresholds.BLOCK_LIMITS`` proposes nothing; two sound numbers are no pair.
    """
    parts = [
        f"SELECT node, '{rule}' AS blocking_rule, hash({key}) AS block FROM nodes WHERE {key} IS NOT NULL"
        for rule, key in _SCALAR.items()
    ]
    parts += [
        f"SELECT node, '{rule}' AS blocking_rule, hash({key}) AS block"
        f" FROM (SELECT *, unnest({column}) AS item FROM nodes WHERE len({column}) > 0) WHERE {key} IS NOT NULL"
        for rule, (column, key) in _LISTS.items()
    ]  # fmt: skip
    for part, query in enumerate(parts):
        connection.execute(
            f"""
            {"CREATE OR REPLACE TABLE block_pairs AS" if part == 0 else "INSERT INTO block_pairs"}
            WITH keyed AS (SELECT DISTINCT * FROM ({query})),
            asked AS (SELECT keyed.* FROM keyed JOIN nodes USING (node) WHERE nodes.kind <> 'anchor'),
            known AS (SELECT * FROM keyed WHERE block IN (SELECT block FROM asked)
                      QUALIFY count(*) OVER (PARTITION BY block) <= {_limit(query)})
            SELECT DISTINCT least(asked.node, known.node) AS left_node, greatest(asked.node, known.node) AS right_node,
                   asked.blocking_rule
            FROM asked JOIN known ON asked.block = known.block AND asked.node <> known.node
            """
        )
    connection.execute(
        """
        CREATE OR REPLACE TABLE pairs AS
        SELECT left_node, right_node, list_sort(list(DISTINCT blocking_rule)) AS rules
        FROM block_pairs
        JOIN nodes AS l ON l.node = left_node JOIN nodes AS r ON r.node = right_node
        WHERE NOT (l.number IS NOT NULL AND r.number IS NOT NULL) AND (l.is_founder OR r.is_founder)
        GROUP BY ALL ORDER BY left_node, right_node
        """
    )
    row = connection.execute("SELECT count(*) FROM pairs").fetchone()
    return int(row[0]) if row else 0


def _limit(query: str) -> int:
    rule = query.split("'", 2)[1]
    return thresholds.BLOCK_LIMITS[rule]
