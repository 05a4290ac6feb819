"""What a run says of every mention, every citizen and every undecided pair, from the clusters and their ids."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from identity import claims, thresholds
from identity.cluster import Partition
from identity.clustering import is_certain
from identity.words import enum
from warehouse.duck import take_rows

METHODS = ("decision", "identity_number", "probabilistic", "single", "unresolved")
_BY_EVIDENCE = "evidence of name and circumstances"
# Every reason of a link: few, so that a byte tells which.
REASONS = (
    "no person is named", "decision of a person", "a withdrawn record founds nobody",
    "too little to tell who this is", _BY_EVIDENCE, "document", "name and records of one household or account",
    "full name and birth date", *claims.REASONS, *(f"{reason}; {_BY_EVIDENCE}" for reason in claims.REASONS),
)  # fmt: skip
# Of whom links are told in a full run: every mention.
SUBJECTS = """(
    SELECT mention, mention_key, is_withdrawn, name IS NOT NULL AS is_named, birth_day IS NOT NULL AS is_dated,
           node, kind, reason
    FROM mention_nodes
)"""
# In a day: mentions whose link is written again.
RELINKED = "(FROM relinked LEFT JOIN (SELECT mention, node, kind, reason FROM node_of) USING (mention))"


def link_rows(subjects: str = SUBJECTS) -> str:
    """SQL: one row per mention of relation ``subjects``: its cluster, how sure, by what method, and why.

    ``subjects`` has the columns of the one that stands for it. Of a mention whose first citizen id is not the one it
    has now, that one (``origin``) is told too: it has a claim to both.
    """
    weights = " ".join(f"WHEN '{reason}' THEN {weight}" for reason, weight in thresholds.NUMBER_WEIGHTS.items())
    return f"""
        WITH placed AS MATERIALIZED (
            SELECT node, cluster, kind, match_weight, z.mentions > 1 AS is_shared
            FROM node_clusters LEFT JOIN (SELECT cluster, count(*) AS mentions FROM clustered GROUP BY cluster) AS z
                 USING (cluster)
        )
        SELECT
            m.mention, m.mention_key, c.cluster, r.origin,
            CASE
                WHEN c.cluster IS NULL THEN 'unresolved'
                WHEN d.mention IS NOT NULL THEN 'decision'
                WHEN NOT c.is_shared THEN 'single'
                WHEN m.kind = 'anchor' THEN 'identity_number'
                WHEN c.match_weight IS NOT NULL THEN 'probabilistic'
                WHEN c.kind IN ('document', 'conflict') THEN 'identity_number'
                ELSE 'probabilistic'
            END::{enum(METHODS)} AS link_method,
            CASE
                WHEN d.mention IS NOT NULL AND c.cluster IS NOT NULL THEN {thresholds.DECISION_WEIGHT}
                WHEN m.kind = 'anchor' THEN CASE m.reason {weights} END
                -- Whoever founds a cluster that others join has no weight of its own: what was found identical speaks.
                WHEN c.cluster IS NOT NULL AND c.is_shared THEN
                    coalesce(c.match_weight, {thresholds.IDENTICAL_MENTIONS_WEIGHT})
                ELSE c.match_weight
            END AS match_weight,
            c.cluster IS NOT NULL AND (d.mention IS NOT NULL OR {is_certain("m")}) AS is_certain,
            CASE
                WHEN NOT m.is_named AND m.node IS NULL THEN 'no person is named'
                WHEN d.mention IS NOT NULL THEN 'decision of a person'
                WHEN m.kind = 'anchor' THEN m.reason
                WHEN c.cluster IS NULL AND m.is_withdrawn THEN 'a withdrawn record founds nobody'
                WHEN c.cluster IS NULL THEN 'too little to tell who this is'
                WHEN c.match_weight IS NOT NULL THEN concat_ws('; ', m.reason, '{_BY_EVIDENCE}')
                WHEN c.kind = 'document' THEN 'document'
                WHEN m.reason IS NULL AND NOT m.is_dated THEN 'name and records of one household or account'
                ELSE coalesce(m.reason, 'full name and birth date')
            END::{enum(REASONS)} AS reason
        FROM {subjects} AS m
        LEFT JOIN placed AS c USING (node)
        LEFT JOIN origins AS r ON r.mention = m.mention
        LEFT JOIN decided_mentions AS d ON d.mention = m.mention
    """


def create_citizens(connection: duckdb.DuckDBPyConnection, links: str, table: str = "citizens") -> None:
    """Create ``table``, one row per cluster of ``links``: id and number, confidence, sound number, first run.

    Most rest on one number and one name: a mean is taken of the others.
    """
    numbers = " ".join(f"WHEN '{reason}' THEN {value}" for reason, value in thresholds.NUMBER_CONFIDENCE.items())
    by_evidence = ", ".join(f"'{reason}'" for reason in REASONS if reason.endswith(_BY_EVIDENCE))
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE {table} AS
        WITH weighed AS (
            SELECT cluster, CASE
                WHEN reason IN ({by_evidence}) THEN
                    least({thresholds.PROBABILISTIC_CONFIDENCE_CAP}, 1 / (1 + pow(2, -match_weight)))
                ELSE CASE reason WHEN 'decision of a person' THEN {thresholds.DECISION_CONFIDENCE} {numbers}
                     ELSE {thresholds.SINGLE_CONFIDENCE} END
                END AS confidence
            FROM {links} SEMI JOIN (SELECT cluster FROM {links} WHERE reason <> 'id') USING (cluster)
        ),
        means AS (
            -- A mean of decimals: one of floating points depends on the order in which threads add.
            SELECT cluster, round(avg(confidence::DECIMAL(12, 9)), 4) AS mean FROM weighed GROUP BY cluster
        )
        SELECT cluster, i.citizen_id,
               coalesce(mean, {thresholds.NUMBER_CONFIDENCE["id"]}::DOUBLE) AS identity_confidence,
               p.number AS id_no, i.first_run_id, i.citizen, p.number_print
        FROM cluster_ids AS i JOIN cluster_prints AS p USING (cluster) LEFT JOIN means USING (cluster)
        """
    )


def create_review(connection: duckdb.DuckDBPyConnection, partition: Partition) -> None:
    """Create ``review``: the pairs of ``open_pairs`` and of the partition that wait for a person, and why."""
    take_rows(
        connection,
        "put_off",
        pa.table(
            {
                "match_weight": pa.array([row[0] for row in partition.review], pa.float64()),
                "left_node": pa.array([row[1] for row in partition.review], pa.int64()),
                "right_node": pa.array([row[2] for row in partition.review], pa.int64()),
                "reason": pa.array([row[3] for row in partition.review], pa.string()),
            }
        ),
    )
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE review AS
        WITH held AS (
            SELECT least(left_node, right_node) AS left_node, greatest(left_node, right_node) AS right_node,
                   match_weight, reason
            FROM put_off
        ),
        undecided AS (
            FROM held
            UNION ALL BY NAME
            SELECT left_node, right_node, match_weight, 'the evidence does not suffice' AS reason
            FROM open_pairs ANTI JOIN held USING (left_node, right_node)
        )
        SELECT u.left_node, u.right_node, ln.first_key AS mention_key_l, rn.first_key AS mention_key_r,
               u.match_weight, min(u.reason) AS reason
        FROM undecided AS u
        JOIN nodes AS ln ON ln.node = u.left_node JOIN nodes AS rn ON rn.node = u.right_node
        JOIN node_clusters AS lc ON lc.node = u.left_node JOIN node_clusters AS rc ON rc.node = u.right_node
        WHERE lc.cluster IS DISTINCT FROM rc.cluster OR lc.cluster IS NULL
        GROUP BY ALL
        """
    )
    connection.execute("DROP TABLE put_off")


def without_joined(pairs: str) -> str:
    """SQL: the scored pairs of relation ``pairs`` that may not join and need not stay apart."""
    return f"""
        SELECT left_node, right_node, match_weight FROM {pairs}
        ANTI JOIN joining_edges USING (left_node, right_node) ANTI JOIN cannot_links USING (left_node, right_node)
        WHERE match_weight >= {thresholds.REVIEW_WEIGHT}
    """
