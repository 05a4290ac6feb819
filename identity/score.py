"""Score candidate pairs with Splink on our own connection and our own pairs."""

from __future__ import annotations

import duckdb

from identity import thresholds
from identity.comparisons import COMPARED_COLUMNS, COMPARISONS
from identity.model import Parameters, splink_settings


def create_comparable_nodes(connection: duckdb.DuckDBPyConnection) -> None:
    """Add to ``nodes`` what blocking and comparing need: numbers, claims, rarity of name and phone and address."""
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE name_counts AS
        SELECT name, count(*) AS name_count FROM nodes WHERE kind = 'anchor' GROUP BY name;
        CREATE OR REPLACE TABLE rare_phones AS
        SELECT item FROM (SELECT node, unnest(phones) AS item FROM nodes) GROUP BY item
        HAVING count(DISTINCT node) <= {thresholds.RARE_PHONE_NODES};
        CREATE OR REPLACE TABLE rare_addresses AS
        SELECT item FROM (SELECT node, unnest(addresses) AS item FROM nodes) GROUP BY item
        HAVING count(DISTINCT node) <= {thresholds.RARE_ADDRESS_NODES};
        CREATE OR REPLACE TABLE node_rare_phones AS
        SELECT node, list_sort(list(item)) AS rare_phones
        FROM (SELECT node, unnest(phones) AS item FROM nodes) SEMI JOIN rare_phones USING (item) GROUP BY node;
        CREATE OR REPLACE TABLE node_rare_addresses AS
        SELECT node, list_sort(list(item)) AS rare_addresses
        FROM (SELECT node, unnest(addresses) AS item FROM nodes) SEMI JOIN rare_addresses USING (item) GROUP BY node;
        CREATE OR REPLACE TABLE nodes AS
        SELECT nodes.*, coalesce(name_count, 0) AS name_count,
               coalesce(rare_phones, []) AS rare_phones, coalesce(rare_addresses, []) AS rare_addresses,
               CASE WHEN kind = 'anchor' THEN [number] WHEN kind = 'residual' THEN damaged ELSE [] END AS numbers,
               CASE WHEN kind = 'anchor' THEN list_sort(list_distinct(list_append(certificates, number)))
                    ELSE certificates END AS claims
        FROM nodes LEFT JOIN name_counts USING (name)
        LEFT JOIN node_rare_phones USING (node) LEFT JOIN node_rare_addresses USING (node)
        """
    )


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
