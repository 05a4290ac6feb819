"""Score candidate pairs with Splink on our own connection and our own pairs."""

from __future__ import annotations

import duckdb

from identity import thresholds
from identity.comparisons import COMPARED_COLUMNS, COMPARISONS
from identity.model import Parameters, splink_settings

# What of a node follows from the rest of its row: not kept.
DERIVED_LISTS = """
    CASE WHEN kind = 'anchor' THEN [number] WHEN kind = 'residual' THEN damaged ELSE [] END AS numbers,
    CASE WHEN kind <> 'anchor' THEN certificates WHEN len(certificates) = 0 THEN [number]
         ELSE list_sort(list_distinct(list_append(certificates, number))) END AS claims
"""


def create_comparable_nodes(connection: duckdb.DuckDBPyConnection) -> None:
    """Add to ``nodes`` what blocking and comparing need: numbers, claims, rarity of name and phone and address."""
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE name_counts AS
        SELECT name, {name_class("count(*)")} AS name_count FROM profiles WHERE kind = 'anchor' GROUP BY name;
        {_rare("phones", thresholds.RARE_PHONE_NODES)}
        {_rare("addresses", thresholds.RARE_ADDRESS_NODES)}
        CREATE OR REPLACE TABLE nodes AS {comparable_nodes()}
        """
    )


def comparable_nodes() -> str:
    """SQL: a row of ``nodes`` for every described node, by ``name_counts`` and ``node_rare_<column>``."""
    return f"""
        SELECT d.*, coalesce(name_count, {name_class("0")}) AS name_count,
               coalesce(rare_phones, []) AS rare_phones, coalesce(rare_addresses, []) AS rare_addresses,
               {DERIVED_LISTS}
        FROM described_nodes AS d LEFT JOIN name_counts USING (name)
        LEFT JOIN node_rare_phones USING (node) LEFT JOIN node_rare_addresses USING (node)
    """


def name_class(count: str) -> str:
    """SQL: a count of sound numbers under one name, raised to the bound of its class: nothing rests on more, and one
    more namesake then changes no node unless the name leaves its class."""
    bounds = (thresholds.RARE_NAME_ANCHORS, thresholds.COMMON_NAME_ANCHORS)
    steps = " ".join(f"WHEN {count} <= {bound} THEN {bound}" for bound in bounds)
    return f"CASE {steps} ELSE {thresholds.COMMON_NAME_ANCHORS + 1} END"


def _rare(column: str, limit: int) -> str:
    """SQL: table ``node_rare_<column>``, of each node the items that at most ``limit`` nodes carry."""
    return f"""
        CREATE OR REPLACE TABLE node_rare_{column} AS
        WITH items AS MATERIALIZED (SELECT node, unnest({column}) AS item FROM profiles WHERE len({column}) > 0)
        SELECT node, list_sort(list(item)) AS rare_{column}
        FROM items SEMI JOIN (SELECT item FROM items GROUP BY item HAVING count(*) <= {limit}) USING (item)
        GROUP BY node;
    """


def score_pairs(connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> None:
    """Create ``scored_pairs`` from ``pairs``: match_weight, and its gamma_ and weight_ per comparison."""
    # Here, because it takes half a second that a command without linking need not wait.
    from splink import DuckDBAPI, Linker

    connection.execute(
        f"""
        CREATE OR REPLACE TABLE compared_nodes AS
        SELECT node, {", ".join(COMPARED_COLUMNS)} FROM nodes
        WHERE node IN (SELECT left_node FROM pairs UNION SELECT right_node FROM pairs)
        """
    )
    connection.execute(
        "CREATE OR REPLACE TABLE blocked AS"
        " SELECT '0' AS match_key, left_node AS join_key_l, right_node AS join_key_r FROM pairs"
    )
    api = DuckDBAPI(connection)
    linker = Linker(api.register("compared_nodes"), splink_settings(parameters), log_level=None)
    linker.table_management.register_blocked_pairs_for_predict(api.register("blocked"))
    scored = linker.inference.predict(warning_mode="never")
    columns = ", ".join(f"gamma_{c.name}, mw_{c.name} AS weight_{c.name}" for c in COMPARISONS)
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE scored_pairs AS
        SELECT least(node_l, node_r) AS left_node, greatest(node_l, node_r) AS right_node, match_weight, {columns}
        FROM {scored.physical_name}
        """
    )
    scored.drop_table_from_database_and_remove_from_cache()
    connection.execute("DROP TABLE compared_nodes; DROP TABLE blocked")
