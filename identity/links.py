"""What a run says of every mention, every citizen and every undecided pair, from the clusters and their ids."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from identity import thresholds
from identity.cluster import Partition

METHODS = ("decision", "identity_number", "probabilistic", "single", "unresolved")
# Of whom links are told in a full run: every mention.
SUBJECTS = (
    "(SELECT mention, mention_key, is_withdrawn, name IS NOT NULL AS is_named, birth_day IS NOT NULL AS is_dated"
    " FROM mentions)"
)


def create_links(connection: duckdb.DuckDBPyConnection, subjects: str = SUBJECTS) -> None:
    """Create ``links``, one row per mention of relation ``subjects``: its citizen, how sure, by what method, and why.

    ``subjects`` has the columns of the one that stands for it.
    """
    weights = " ".join(f"WHEN '{reason}' THEN {weight}" for reason, weight in thresholds.NUMBER_WEIGHTS.items())
    confidence = " ".join(f"WHEN '{reason}' THEN {value}" for reason, value in thresholds.NUMBER_CONFIDENCE.items())
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE links AS
        WITH sizes AS (SELECT cluster, count(*) AS mentions FROM clustered GROUP BY cluster)
        SELECT
            m.mention, m.mention_key, i.cluster, i.citizen, i.citizen_id,
            CASE
                WHEN i.citizen IS NULL THEN 'unresolved'
                WHEN d.mention IS NOT NULL THEN 'decision'
                WHEN z.mentions = 1 THEN 'single'
                WHEN o.kind = 'anchor' THEN 'identity_number'
                WHEN c.match_weight IS NOT NULL THEN 'probabilistic'
                WHEN c.kind IN ('document', 'conflict') THEN 'identity_number'
                ELSE 'probabilistic'
            END AS link_method,
            CASE
                WHEN d.mention IS NOT NULL THEN {thresholds.DECISION_WEIGHT}
                WHEN o.kind = 'anchor' THEN CASE o.reason {weights} END
                -- Whoever founds a cluster that others join has no weight of its own: what was found identical speaks.
                WHEN i.citizen IS NOT NULL AND z.mentions > 1 THEN
                    coalesce(c.match_weight, {thresholds.IDENTICAL_MENTIONS_WEIGHT})
                ELSE c.match_weight
            END AS match_weight,
            coalesce(i.citizen IS NOT NULL AND k.is_certain, false) AS is_certain,
            CASE
                WHEN NOT m.is_named AND o.mention IS NULL THEN 'no person is named'
                WHEN d.mention IS NOT NULL THEN 'decision of a person'
                WHEN o.kind = 'anchor' THEN o.reason
                WHEN i.citizen IS NULL AND m.is_withdrawn THEN 'a withdrawn record founds nobody'
                WHEN i.citizen IS NULL THEN 'too little to tell who this is'
                WHEN c.match_weight IS NOT NULL THEN concat_ws('; ', o.reason, 'evidence of name and circumstances')
                WHEN c.kind = 'document' THEN 'document'
                WHEN o.reason IS NULL AND NOT m.is_dated THEN 'name and records of one household or account'
                ELSE coalesce(o.reason, 'full name and birth date')
            END AS reason,
            CASE
                WHEN d.mention IS NOT NULL THEN {thresholds.DECISION_CONFIDENCE}
                WHEN o.kind = 'anchor' THEN CASE o.reason {confidence} END
                WHEN c.match_weight IS NOT NULL THEN
                    least({thresholds.PROBABILISTIC_CONFIDENCE_CAP}, 1 / (1 + pow(2, -c.match_weight)))
                ELSE {thresholds.SINGLE_CONFIDENCE}
            END AS confidence
        FROM {subjects} AS m
        LEFT JOIN node_of AS o USING (mention)
        LEFT JOIN node_clusters AS c USING (node)
        LEFT JOIN clustered AS k ON k.mention = m.mention
        LEFT JOIN cluster_ids AS i ON i.cluster = c.cluster
        LEFT JOIN sizes AS z ON z.cluster = c.cluster
        LEFT JOIN decided_mentions AS d ON d.mention = m.mention
        """
    )


def create_citizens(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``citizens``, one row per cluster: id and number, confidence, sound number, first run."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE citizens AS
        -- A mean of decimals: one of floating points depends on the order in which threads add.
        SELECT cluster, any_value(i.citizen_id) AS citizen_id,
               round(avg(l.confidence::DECIMAL(12, 9)), 4) AS identity_confidence,
               any_value(n.number) AS id_no, any_value(i.first_run_id) AS first_run_id, any_value(i.citizen) AS citizen,
               any_value(p.number_print) AS number_print
        FROM cluster_ids AS i JOIN cluster_numbers AS n USING (cluster) JOIN links AS l USING (cluster)
        LEFT JOIN cluster_prints AS p USING (cluster)
        GROUP BY cluster
        """
    )


def create_review(connection: duckdb.DuckDBPyConnection, partition: Partition) -> None:
    """Create ``review``: the pairs of ``open_pairs`` and of the partition that wait for a person, and why."""
    connection.register(
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
        WITH undecided AS (
            SELECT left_node, right_node, match_weight, 'the evidence does not suffice' AS reason
            FROM open_pairs
            UNION ALL
            SELECT least(left_node, right_node), greatest(left_node, right_node), match_weight, reason FROM put_off
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
    connection.unregister("put_off")


def without_joined(pairs: str) -> str:
    """SQL: the scored pairs of relation ``pairs`` that are no edge and need not stay apart."""
    return f"""
        SELECT left_node, right_node, match_weight FROM {pairs}
        ANTI JOIN edges USING (left_node, right_node) ANTI JOIN cannot_links USING (left_node, right_node)
        WHERE match_weight >= {thresholds.REVIEW_WEIGHT}
    """
