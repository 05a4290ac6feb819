"""A day's turns of rarity: whose name, phone or address became rare or common by what happened to others."""

from __future__ import annotations

import duckdb

from identity import score, thresholds

_RARE = (("phones", thresholds.RARE_PHONE_NODES), ("addresses", thresholds.RARE_ADDRESS_NODES))


def find_changed_classes(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``reclassed``: nodes whose name, phone or address became rare or common by what happened to others.

    Creates ``name_turns`` and ``<column>_turns``: what such a thing is now, and a phone or address whose number of
    carriers is another.
    """
    counted = "SELECT name, count(*) AS n FROM {} WHERE kind = 'anchor' GROUP BY name"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE nodes_before AS
        SELECT node, kind, name, phones, addresses FROM kept.node SEMI JOIN touched_nodes USING (node);
        CREATE OR REPLACE TEMP TABLE name_shifts AS
        SELECT name, coalesce(a.n, 0) - coalesce(b.n, 0) AS shift
        FROM ({counted.format("profiles")}) AS a FULL JOIN ({counted.format("nodes_before")}) AS b USING (name)
        WHERE a.n IS DISTINCT FROM b.n;
        CREATE OR REPLACE TEMP TABLE name_turns AS
        WITH before AS (
            SELECT name, count(k.node) AS n
            FROM name_shifts LEFT JOIN (SELECT name, node FROM kept.node WHERE kind = 'anchor') AS k USING (name)
            GROUP BY name
        )
        SELECT name, {score.name_class("n + shift")} AS name_count FROM before JOIN name_shifts USING (name)
        WHERE {score.name_class("n")} <> {score.name_class("n + shift")};
        CREATE OR REPLACE TEMP TABLE reclassed AS SELECT node FROM kept.node SEMI JOIN name_turns USING (name)
        """
    )
    for column, limit in _RARE:
        items = f"SELECT node, unnest({column}) AS item FROM {{}}"
        counted = f"SELECT item, count(*) AS n FROM ({items}) GROUP BY item"
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE item_shifts AS
            SELECT item, coalesce(a.n, 0) - coalesce(b.n, 0) AS shift
            FROM ({counted.format("profiles")}) AS a FULL JOIN ({counted.format("nodes_before")}) AS b USING (item)
            WHERE a.n IS DISTINCT FROM b.n;
            CREATE OR REPLACE TEMP TABLE carriers AS
            SELECT * FROM ({items.format("kept.node")}) SEMI JOIN item_shifts USING (item);
            CREATE OR REPLACE TEMP TABLE {column}_turns AS
            WITH before AS (
                SELECT item, count(node) AS n FROM item_shifts LEFT JOIN carriers USING (item) GROUP BY item
            )
            SELECT item, n + shift <= {limit} AS is_rare, (n <= {limit}) <> (n + shift <= {limit}) AS is_turned
            FROM before JOIN item_shifts USING (item);
            INSERT INTO reclassed SELECT DISTINCT node FROM carriers JOIN {column}_turns USING (item) WHERE is_turned
            """
        )


def classify(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``name_counts`` and ``node_common_<column>`` of the derived nodes: what was kept, but for the turns."""
    connection.execute(
        """
        CREATE OR REPLACE TABLE name_counts AS
        SELECT name, any_value(name_count) AS name_count
        FROM (SELECT name, name_count FROM kept.node SEMI JOIN profiles USING (name)) ANTI JOIN name_turns USING (name)
        GROUP BY name
        UNION ALL SELECT name, name_count FROM name_turns
        """
    )
    for column, _ in _RARE:
        connection.execute(
            f"""
            CREATE OR REPLACE TABLE node_common_{column} AS
            WITH items AS (SELECT node, unnest({column}) AS item FROM profiles),
            known AS (
                SELECT item, NOT bool_or(list_contains(common, item)) AS is_rare
                FROM (SELECT unnest({column}) AS item, common_{column} AS common FROM derived_before)
                GROUP BY item
            )
            SELECT node, list_sort(list(item)) AS common_{column}
            FROM items LEFT JOIN {column}_turns AS t USING (item) LEFT JOIN known AS k USING (item)
            WHERE NOT coalesce(t.is_rare, k.is_rare)
            GROUP BY node
            """
        )
