"""Propose candidate pairs from the residual side: nodes without a sound number of their own, against every node."""

from __future__ import annotations

import duckdb

from identity import thresholds
from warehouse.digest import digest, if_long

# A rule's key is made of parts: numbers and dates, and texts. A node without one of them has no key; a rule over a list
# has a key for each item.
_Key = tuple[tuple[str, ...], tuple[str, ...]]
_SCALAR: dict[str, _Key] = {
    "sound_number_head": (("sound_number",), ("substr(first_number, 1, 10)",)),
    "number_first14": (("surname_number",), ("substr(first_number, 1, 10)", "substr(first_number, 11, 4)")),
    "number_last8": (("surname_number",), ("right(first_number, 8)",)),
    "number_ends": (("surname_number",), ("substr(first_number, 1, 10)", "right(first_number, 4)")),
    "sound_alone": (("sound_number",), ()),
}
_LISTS: dict[str, tuple[str, _Key]] = {
    "sound_birth": ("birth_days", (("sound_number", "item"), ())),
    "sound_phone": ("phones", (("sound_number",), ("item",))),
    "sound_address": ("addresses", (("sound_number",), ("item",))),
    "sound_household": ("households", (("sound_number",), ("item",))),
    "sound_account": ("accounts", (("sound_number",), ("item",))),
    "sound_kin": ("kin", (("sound_number", "item"), ())),
    "sound_kin_name": ("kin_sounds", (("sound_number",), ("item",))),
    "sound_district": ("districts", (("sound_number",), ("item",))),
    "number_claim": ("claims", ((), ("item",))),
    "surname_phone": ("phones", (("surname_number",), ("item",))),
    "surname_kin": ("kin", (("surname_number", "item"), ())),
    "surname_household": ("households", (("surname_number",), ("item",))),
    "surname_birth": ("birth_days", (("surname_number", "item", "(sex = 'male')"), ())),
    "account": ("accounts", ((), ("item",))),
    "birth_phone": ("birth_days", (("item",), ("phones[1]",))),
    "birth_address": ("birth_days", (("item",), ("addresses[1]",))),
    "birth_kin": ("birth_days", (("item", "kin[1]"), ())),
    "given_birth": ("birth_days", (("item", "given_number"), ())),
}


RULES = (*_SCALAR, *_LISTS)
# A block's number: its rule's place in the lowest bits, a digest of its key in the others. A pair's mask of rules has
# as many bits as there are places: 32.
_RULE_BITS = 31
_KEY_BITS = 2**64 - 1 - _RULE_BITS
_RULE = f"(block & {_RULE_BITS})"


def create_pairs(connection: duckdb.DuckDBPyConnection, blocks: str = "blocks") -> int:
    """Create table ``blocks`` and ``pairs`` (left_node < right_node, rules) and return how many pairs there are.

    A key too common by ``thresholds.BLOCK_LIMITS`` proposes nothing; two sound numbers are no pair, nor are a number
    that nobody can tell whose it is and another one that was disowned: both may be their bearers' own; nor one of void
    records and another.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE {blocks} AS {block_rows("nodes")};
        CREATE OR REPLACE TEMP TABLE blocks_asked AS
        WITH asked AS MATERIALIZED (
            SELECT * FROM {blocks} SEMI JOIN (SELECT block FROM {blocks} WHERE asks) USING (block)
        )
        SELECT * FROM asked SEMI JOIN (
            SELECT block FROM asked GROUP BY block HAVING count(*) <= {limit_of_rule()}
        ) USING (block)
        """
    )
    propose(connection, "(SELECT * FROM blocks_asked WHERE asks)", "blocks_asked")
    return settle_pairs(connection)


def block_rows(relation: str) -> str:
    """SQL: the blocks of the nodes of ``relation``: block, node, and whether it asks. A block is of one rule."""
    return " UNION ALL ".join(
        f"SELECT block, node, kind <> 'anchor' AS asks FROM ({keyed_nodes(relation, rule)})" for rule in RULES
    )


def limit_of_rule() -> str:
    """SQL over blocks: how many nodes the row's block may hold, by its rule."""
    limits = " ".join(f"WHEN {place} THEN {thresholds.BLOCK_LIMITS[rule]}" for place, rule in enumerate(RULES))
    return f"CASE {_RULE} {limits} END"


def propose(connection: duckdb.DuckDBPyConnection, asking: str, known: str) -> None:
    """Create ``proposed``: one row per pair of a node of ``asking`` and one of ``known`` in one block, where one asks.

    ``rules`` has a bit for each rule that proposes the pair.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE proposed AS
        SELECT least(a.node, b.node) AS left_node, greatest(a.node, b.node) AS right_node,
               bit_or(1::UBIGINT << {_RULE})::UINTEGER AS rules
        FROM {asking} AS a JOIN {known} AS b USING (block)
        WHERE a.node <> b.node AND (a.asks OR b.asks)
        GROUP BY ALL
        """
    )


def settle_pairs(connection: duckdb.DuckDBPyConnection) -> int:
    """Create ``pairs`` from ``proposed`` by the standing of both ``nodes``, and return how many there are."""
    connection.execute(
        """
        CREATE OR REPLACE TABLE pairs AS
        WITH standings AS MATERIALIZED (
            SELECT node, number, number IS NOT NULL AS has_number, is_founder,
                   CASE WHEN number IS NULL THEN held_number END AS void_number,
                   -- Nobody can tell whose number a conflict's is; it may be its own.
                   CASE WHEN kind = 'conflict' THEN number END AS open_number,
                   CASE WHEN kind = 'residual' THEN own_number END AS disowned_number
            FROM nodes WHERE node IN (SELECT unnest([left_node, right_node]) FROM proposed)
        )
        SELECT left_node, right_node, rules
        FROM proposed JOIN standings AS l ON l.node = left_node JOIN standings AS r ON r.node = right_node
        WHERE NOT (l.has_number AND r.has_number) AND (l.is_founder OR r.is_founder)
          AND NOT coalesce(l.open_number <> r.disowned_number OR l.disowned_number <> r.open_number, false)
          AND NOT coalesce(l.void_number <> r.number OR l.number <> r.void_number, false)
        """
    )
    row = connection.execute("SELECT count(*) FROM pairs").fetchone()
    return int(row[0]) if row else 0


def rule_lists(masks: str) -> str:
    """SQL: the names of the rules of every distinct value of column ``rules`` of relation ``masks``: rules, names."""
    names = ", ".join(f"CASE WHEN rules & {1 << place} > 0 THEN '{rule}' END" for place, rule in enumerate(RULES))
    return (
        f"SELECT rules, list_sort(list_filter([{names}], lambda name: name IS NOT NULL)) AS names"
        f" FROM (SELECT DISTINCT rules FROM {masks})"
    )


def keyed_nodes(relation: str, rule: str) -> str:
    """SQL: every node of ``relation`` (node, kind) with its block by ``rule``, if it has one.

    A list holds an item once, so a node is in a block once.
    """
    if rule in _SCALAR:
        numbers, texts = _SCALAR[rule]
    else:
        column, (numbers, texts) = _LISTS[rule]
        relation = f"(SELECT *, unnest({column}) AS item FROM {relation} WHERE len({column}) > 0)"
    key = digest([*numbers, *texts], [if_long(text) for text in texts])
    block = f"(({key} & {_KEY_BITS}::UBIGINT) | {RULES.index(rule)}::UBIGINT)"
    told = " AND ".join(f"{part} IS NOT NULL" for part in (*numbers, *texts))
    return f"SELECT node, kind, {block} AS block FROM {relation} WHERE {told}"
