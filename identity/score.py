"""Score candidate pairs with Splink on our own connection and our own pairs."""

from __future__ import annotations

import duckdb

from identity import thresholds
from identity.comparisons import COMPARED_COLUMNS, COMPARISONS
from identity.model import Parameters, splink_settings
from identity.nodes import KINDS
from identity.words import enum
from warehouse.digest import text_digest

# Of what it is asked how many nodes carry it.
COUNTED = ("phones", "addresses")

# A node's row: what does not follow from the rest of it. Most phones and addresses are rare, most nodes have one name;
# names and sounds are told of the others.
NODE_COLUMNS = (
    "node", "kind", "mention_count", "first_key", "own_number", "names", "sounds", "damaged", "birth_years",
    "certificates", "documents", "addresses", "accounts", "households", "birth_days", "sex", "phones", "districts",
    "name", "sound_number", "surname_number", "given_number", "kin", "kin_sounds", "is_founder", "name_count",
    "common_phones", "common_addresses",
)  # fmt: skip
# What is not there where a node has one name only.
_WHOLE = {"names": "coalesce(names, [name]) AS names", "sounds": "coalesce(sounds, [sound]) AS sounds"}
# The nodes of the candidate pairs.
PAIRED = "(SELECT unnest([left_node, right_node]) AS node FROM pairs)"
COMPARED = f"(SELECT * FROM nodes SEMI JOIN {PAIRED} USING (node))"
# Of a node's row: its number, if that is its own or nobody can tell.
NUMBER = "CASE WHEN kind IN ('anchor', 'conflict') THEN own_number END"
# The number that keeps it from others: also one that void records state, which founds nobody.
HELD_NUMBER = "CASE WHEN kind IN ('anchor', 'conflict', 'withdrawn') THEN own_number END"
_DERIVED = """
    CASE WHEN kind = 'anchor' THEN own_number WHEN kind = 'residual' THEN damaged[1] END AS first_number,
    CASE WHEN kind = 'anchor' THEN [number] WHEN kind = 'residual' THEN damaged ELSE [] END AS numbers,
    CASE WHEN kind <> 'anchor' THEN certificates WHEN len(certificates) = 0 THEN [number]
         ELSE list_sort(list_distinct(list_append(certificates, number))) END AS claims
"""


def create_comparable_nodes(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Create ``table``, the rows of all nodes, and over it the view ``nodes``: what blocking, comparing and clustering
    need of them.
    """
    connection.execute(
        f"""
        -- To put profiles together takes longer than to read three columns of them once more.
        CREATE OR REPLACE TEMP TABLE carried AS SELECT node, kind, name, phones, addresses FROM profiles;
        CREATE OR REPLACE TABLE name_counts AS
        SELECT name, {name_class("count(*)")} AS name_count FROM carried WHERE kind = 'anchor' GROUP BY name;
        {_common("phones", thresholds.RARE_PHONE_NODES)}
        {_common("addresses", thresholds.RARE_ADDRESS_NODES)}
        DROP TABLE carried;
        -- The engine takes profiles for few, and would look up what is joined in a table of the widest rows there are.
        SET disabled_optimizers = 'build_side_probe_side';
        CREATE OR REPLACE TABLE {table} AS {node_rows()};
        RESET disabled_optimizers;
        CREATE OR REPLACE VIEW nodes AS {comparable_nodes(table)}
        """
    )


def node_rows() -> str:
    """SQL: the row of every node of ``profiles``, with its sounds and kin, what it is to clustering, and how common its
    name, its phones and addresses are: by ``sounds``, ``kin_lists``, ``name_counts`` and ``node_common_<column>``.

    What is joined is put together first: a profile is a wide row, and every join that it goes through takes its time.
    """
    told = {
        "kind": f"p.kind::{enum(KINDS)} AS kind",
        "sex": f"p.sex::{enum(('male', 'female'))} AS sex",
        "is_founder": f"""
            CASE WHEN p.kind IN ('anchor', 'conflict', 'document') THEN true WHEN p.kind = 'residual' THEN
                length(p.name) >= 2 AND NOT is_polite(p.name) AND NOT has_unreadable(p.name)
                AND (len(birth_days) > 0 OR (len(households) > 0 OR len(accounts) > 0)
                                            AND mention_count >= {thresholds.FOUNDING_RECORDS})
                ELSE false END AS is_founder""",
        "name_count": f"coalesce(s.name_count, {name_class('0')}) AS name_count",
    } | {
        column: f"coalesce(k.{column}, {other}) AS {column}"
        for column, other in {
            "kin": "CASE WHEN one_kin IS NULL THEN [] ELSE [one_kin] END",
            "kin_sounds": "CASE WHEN one_kin_sound IS NULL THEN [] ELSE [one_kin_sound] END",
            "common_phones": "[]",
            "common_addresses": "[]",
        }.items()
    }
    return f"""
        SELECT {", ".join(told.get(column, column) for column in NODE_COLUMNS)}
        FROM profiles AS p JOIN (FROM sounds LEFT JOIN name_counts USING (name)) AS s USING (name)
        LEFT JOIN (
            FROM kin_lists FULL JOIN node_common_phones USING (node) FULL JOIN node_common_addresses USING (node)
        ) AS k USING (node)
    """


def comparable_nodes(rows: str) -> str:
    """SQL: every node of relation ``rows``, with all that follows from its row."""
    return f"SELECT *, {NUMBER} AS number, {HELD_NUMBER} AS held_number, {rare_lists()}, {_DERIVED} FROM {rows}"


def rare_lists() -> str:
    """SQL: of each list of ``COUNTED`` what few nodes carry, from what many carry."""
    return ", ".join(f"{without(column, f'common_{column}')} AS rare_{column}" for column in COUNTED)


def without(items: str, others: str) -> str:
    """SQL: a list of different things without the others, which are some of them."""
    return f"""CASE WHEN len({others}) = 0 THEN {items} WHEN len({others}) = len({items}) THEN []
        ELSE list_filter({items}, lambda item: NOT list_contains({others}, item)) END"""


def name_class(count: str) -> str:
    """SQL: a count of sound numbers under one name, raised to the bound of its class: nothing rests on more, and one
    more namesake then changes no node unless the name leaves its class."""
    bounds = (thresholds.RARE_NAME_ANCHORS, thresholds.COMMON_NAME_ANCHORS)
    steps = " ".join(f"WHEN {count} <= {bound} THEN {bound}" for bound in bounds)
    return f"CASE {steps} ELSE {thresholds.COMMON_NAME_ANCHORS + 1} END"


def _common(column: str, limit: int) -> str:
    """SQL: table ``node_common_<column>``: of each node of ``carried`` the items that over ``limit`` nodes carry."""
    return f"""
        CREATE OR REPLACE TABLE node_common_{column} AS
        WITH items AS MATERIALIZED (
            SELECT node, item, {text_digest("item")} AS number
            FROM (SELECT node, unnest({column}) AS item FROM carried WHERE len({column}) > 0)
        )
        SELECT node, list_sort(list(item)) AS common_{column}
        FROM items SEMI JOIN (SELECT number FROM items GROUP BY number HAVING count(*) > {limit}) USING (number)
        GROUP BY node;
    """


def score_pairs(connection: duckdb.DuckDBPyConnection, parameters: Parameters, nodes: str = COMPARED) -> None:
    """Create ``scored_pairs`` from ``pairs``: match_weight, and its gamma_ and weight_ per comparison.

    Relation ``nodes`` holds the nodes that are compared, and ``sounds`` their names.
    """
    # Here, because it takes half a second that a command without linking need not wait.
    from splink import Linker

    from identity.splink_api import NarrowAPI

    connection.execute(
        f"""
        CREATE OR REPLACE TABLE compared_nodes AS
        SELECT node, {", ".join(_WHOLE.get(column, column) for column in COMPARED_COLUMNS)}
        FROM {nodes} JOIN sounds USING (name)
        """
    )
    connection.execute(
        "CREATE OR REPLACE TABLE blocked AS"
        " SELECT '0' AS match_key, left_node AS join_key_l, right_node AS join_key_r FROM pairs"
    )
    api = NarrowAPI(connection, [comparison.name for comparison in COMPARISONS])
    # Splink's own look at the settings would only be logged, and costs as much as scoring a day.
    settings = splink_settings(parameters)
    linker = Linker(api.register("compared_nodes"), settings, log_level=None, validate_settings=False)
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
