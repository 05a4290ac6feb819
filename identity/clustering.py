"""From scored pairs to clusters of nodes: which pairs are edges, and what the partition makes of the tables."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from identity import comparisons, decisions, thresholds
from identity.cluster import DECIDED, Partition, attach_weak, join_founders
from identity.constraints import read_constraints
from identity.model import level_number
from warehouse.duck import take_rows


def is_linkable() -> str:
    """SQL over ``scored_pairs``: the rules that no weight can outvote.

    A name alone is nobody, however rare: one more thing must agree, and what that is depends on how the names agree.
    """
    rules = (
        (comparisons.NAME_SAME, comparisons.SAME_NAME_SUPPORT),
        (comparisons.RARE_NAME, comparisons.RARE_NAME_SUPPORT),
        (comparisons.NAME_SHORTENED, comparisons.SHORTENED_NAME_SUPPORT),
        (comparisons.NAME_CHANGED, comparisons.CHANGED_NAME_SUPPORT),
        (("polite_form",), comparisons.POLITE_SUPPORT),
    )
    return f"({' OR '.join(f'({_has_name(names)} AND ({_any(support)}))' for names, support in rules)})"


def weight_needed() -> str:
    """SQL over ``scored_pairs``: the match weight that makes the pair a link, by how closely the rest agrees."""
    close = _any(comparisons.SAME_NAME_SUPPORT)
    return f"CASE WHEN {close} THEN {thresholds.LINK_WEIGHT} ELSE {thresholds.LOOSE_LINK_WEIGHT} END"


def is_certain(member: str) -> str:
    """SQL over rows ``member`` of ``node_of``: whether the number alone tells who this is."""
    return f"{member}.kind = 'anchor' AND coalesce({member}.reason, '') <> 'id+no_name'"


def _any(supports: tuple[comparisons.Support, ...]) -> str:
    return " OR ".join(f"({' AND '.join(_reaches(*level) for level in support)})" for support in supports)


def _has_name(levels: tuple[str, ...]) -> str:
    return f"gamma_name IN ({', '.join(str(level_number('name', level)) for level in levels)})"


def _reaches(comparison: str, level: str) -> str:
    return f"gamma_{comparison} >= {level_number(comparison, level)}"


# What is told of two people whatever their names: of the others a level says more beside the same name.
_NAMELESS = ("number", "certificate", "document", "account", "sex", "phone", "address", "district")


def create_edges(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``edges``: the scored pairs that may join (the view ``joining_edges``), with whether each node founds a
    citizen; and those that join nobody but may bear out a doubt (``is_rival``): one side has a number, and the other
    its birthday and a part of its name. ``nameless_weight`` is the weight of what agrees whatever the names.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE edges AS
        SELECT left_node, right_node, match_weight, nameless_weight, l.is_founder AS left_founds,
               r.is_founder AS right_founds, NOT is_joining AS is_rival
        FROM (
            SELECT left_node, right_node, match_weight, {" + ".join(f"weight_{each}" for each in _NAMELESS)}
                       AS nameless_weight,
                   {is_linkable()} AND match_weight >= {weight_needed()} AS is_joining,
                   {_has_name(comparisons.NAME_SHORTENED)} AND {_reaches("birth", "same")} AS is_of_part
            FROM scored_pairs
        ) JOIN nodes AS l ON l.node = left_node JOIN nodes AS r ON r.node = right_node
        WHERE is_joining OR is_of_part AND (l.number IS NOT NULL OR r.number IS NOT NULL);
        CREATE OR REPLACE VIEW joining_edges AS FROM edges WHERE NOT is_rival
        """
    )


def find_twins_edges(connection: duckdb.DuckDBPyConnection, nodes: str) -> None:
    """Create ``twins_edges`` (left_node, right_node, node): the edges of a ``node`` without a number, among relation
    ``nodes``, to people who may be twins, where nothing but the name says clearly which of them is meant.

    Numbers of twins share region and birthday, their first fourteen digits. The name says nothing clearly, however much
    it weighs: what is left of the one's name, when it lost a character, can be the other's whole name.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE twins_edges AS
        WITH told AS MATERIALIZED (
            SELECT node, number FROM {nodes}
            SEMI JOIN (SELECT unnest([left_node, right_node]) AS node FROM edges) USING (node)
        ),
        sides AS MATERIALIZED (
            SELECT left_node, right_node, match_weight, nameless_weight, is_rival,
                   CASE WHEN l.number IS NULL THEN left_node ELSE right_node END AS node,
                   coalesce(l.number, r.number) AS number, substr(coalesce(l.number, r.number), 1, 14) AS born
            FROM edges ANTI JOIN cannot_links USING (left_node, right_node)
            JOIN told AS l ON l.node = left_node JOIN told AS r ON r.node = right_node
            WHERE (l.number IS NULL) <> (r.number IS NULL)
        ),
        doubts AS (
            SELECT node, born FROM sides GROUP BY ALL
            HAVING count(DISTINCT number) > 1 AND (
                max(nameless_weight, 2)[1] - max(nameless_weight, 2)[2] < {thresholds.TWIN_MARGIN}
                OR arg_max(is_rival, nameless_weight) OR arg_max(match_weight, nameless_weight) < max(match_weight))
        )
        SELECT left_node, right_node, node FROM sides SEMI JOIN doubts USING (node, born) WHERE NOT is_rival
        """
    )


def find_sure_edges(connection: duckdb.DuckDBPyConnection, nodes: str) -> None:
    """Part ``joining_edges`` into ``sure_edges``, which join two nodes of relation ``nodes`` whatever the others do,
    and ``open_edges``.

    Nine in ten stand alone: no other edge and no decision touches their nodes. Of these an edge is sure about whose
    nodes nothing is told by which ``cluster`` could hold them apart. Whatever leaves a doubt is left to it.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE lone_edges AS
        WITH ends AS (
            SELECT unnest([left_node, right_node]) AS node FROM edges
            UNION ALL SELECT unnest([left_node, right_node]) FROM decided_pairs
        ),
        shared AS (SELECT node FROM ends GROUP BY node HAVING count(*) > 1)
        SELECT * FROM joining_edges ANTI JOIN cannot_links USING (left_node, right_node)
        WHERE left_node NOT IN (SELECT node FROM shared) AND right_node NOT IN (SELECT node FROM shared)
          AND left_node NOT IN (SELECT node FROM lives) AND right_node NOT IN (SELECT node FROM lives);
        CREATE OR REPLACE TEMP TABLE sure_edges AS
        WITH told AS MATERIALIZED (
            SELECT node, held_number AS number, birth_days FROM {nodes}
            SEMI JOIN (SELECT unnest([left_node, right_node]) AS node FROM lone_edges) USING (node)
        )
        SELECT e.* FROM lone_edges AS e JOIN told AS l ON l.node = left_node JOIN told AS r ON r.node = right_node
        WHERE (l.number IS NULL OR r.number IS NULL)
          AND (len(l.birth_days) = 0 OR len(r.birth_days) = 0 OR list_has_any(l.birth_days, r.birth_days));
        CREATE OR REPLACE TEMP TABLE open_edges AS
        FROM joining_edges ANTI JOIN sure_edges USING (left_node, right_node)
        """
    )


def partition_open_edges(connection: duckdb.DuckDBPyConnection) -> Partition:
    """Join what ``open_edges`` can join. Creates ``moves`` (node, cluster) and ``joins`` (node and the edge that
    joined it).
    """
    constraints = read_constraints(connection)
    strong = connection.execute(
        "SELECT match_weight, left_node, right_node FROM open_edges WHERE left_founds AND right_founds"
    ).fetchall()
    weak = connection.execute(
        """
        SELECT match_weight, CASE WHEN left_founds THEN right_node ELSE left_node END,
               CASE WHEN left_founds THEN left_node ELSE right_node END
        FROM open_edges WHERE left_founds <> right_founds
        """
    ).fetchall()
    partition = attach_weak(weak, join_founders(strong, constraints), constraints)
    moves = {node: partition.find(node) for node in list(partition.root)}
    # Of two that a person put together the lesser node names the cluster, also where it founds nobody by itself.
    moves |= {cluster: cluster for cluster in moves.values()}
    joined = partition.joined
    weights = [thresholds.DECISION_WEIGHT if edge[0] == DECIDED else edge[0] for edge in joined.values()]
    take_rows(
        connection,
        "moves",
        pa.table({"node": pa.array(list(moves), pa.int64()), "cluster": pa.array(list(moves.values()), pa.int64())}),
    )
    take_rows(
        connection,
        "joins",
        pa.table(
            {
                "node": pa.array(list(joined), pa.int64()),
                "match_weight": pa.array(weights, pa.float64()),
                "is_decided": pa.array([edge[0] == DECIDED for edge in joined.values()], pa.bool_()),
            }
        ),
    )
    return partition


def find_decided_mentions(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``decided_mentions``, whose link to their citizen a person decided, from ``node_clusters`` and decisions.

    Who said that a booking and a cremation are of one person did not say of whom: where the cluster has a number, only
    what decided links join to the number is decided about it; where it has none, only what they join to the first of
    its founders. The rest hangs on the likeness by which it came into the cluster, and has that weight.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE decided_nodes AS
        WITH RECURSIVE said AS (
            SELECT mention_l AS mention, mention_r AS other FROM decisions WHERE verdict = '{decisions.LINK}'
            UNION ALL SELECT mention_r, mention_l FROM decisions WHERE verdict = '{decisions.LINK}'
        ),
        joined AS (
            SELECT s.mention, c.node, e.node AS other_node, c.cluster, c.kind, c.is_founder
            FROM said AS s JOIN node_of AS o USING (mention) JOIN node_of AS p ON p.mention = s.other
            JOIN node_clusters AS c ON c.node = o.node
            JOIN node_clusters AS e ON e.node = p.node AND e.cluster = c.cluster
        ),
        sure AS (
            SELECT node FROM joined WHERE kind = 'anchor'
            UNION
            SELECT min(node) FROM joined
            WHERE is_founder AND cluster NOT IN (SELECT cluster FROM node_clusters
                                                 WHERE kind = 'anchor' AND cluster IS NOT NULL)
            GROUP BY cluster
            UNION SELECT other_node FROM joined JOIN sure USING (node)
        )
        SELECT mention, node, cluster, node IN (SELECT node FROM sure) AS is_sure FROM joined;
        CREATE OR REPLACE TEMP TABLE likened AS
        WITH open_nodes AS (SELECT DISTINCT node, cluster FROM decided_nodes WHERE NOT is_sure),
        ways AS (
            SELECT left_node AS node, right_node AS other, match_weight FROM joining_edges
            UNION ALL SELECT right_node, left_node, match_weight FROM joining_edges
        )
        SELECT o.cluster, max(w.match_weight) AS match_weight
        FROM open_nodes AS o JOIN ways AS w USING (node)
        JOIN node_clusters AS c ON c.node = w.other AND c.cluster = o.cluster
        WHERE w.other NOT IN (SELECT node FROM open_nodes)
        GROUP BY o.cluster;
        UPDATE node_clusters SET is_decided = false, match_weight = (
            SELECT match_weight FROM likened WHERE likened.cluster = node_clusters.cluster)
        WHERE is_decided AND node IN (SELECT node FROM decided_nodes WHERE NOT is_sure);
        CREATE OR REPLACE TABLE decided_mentions AS
        SELECT mention FROM decided_nodes WHERE is_sure
        UNION
        SELECT mention FROM node_of SEMI JOIN (SELECT node FROM node_clusters WHERE is_decided) USING (node)
        WHERE kind <> 'anchor'
        """
    )


def cluster_nodes(connection: duckdb.DuckDBPyConnection, nodes: str = "nodes") -> Partition:
    """Cluster the nodes of relation ``nodes`` by ``edges`` under the constraints.

    What was put off for review is in the partition. Creates ``node_clusters`` (one row per node), ``decided_mentions``,
    ``cluster_numbers`` and ``clustered`` (one row per mention with a cluster).
    """
    find_sure_edges(connection, nodes)
    find_twins_edges(connection, nodes)
    partition = partition_open_edges(connection)
    decisions.report_contradictions(connection, partition.contradicted)
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE node_clusters AS
        -- Of two founders the lesser node names the cluster, of others the founder.
        WITH sure AS (
            SELECT CASE WHEN left_founds THEN right_node ELSE left_node END AS node,
                   CASE WHEN left_founds THEN left_node ELSE right_node END AS cluster,
                   match_weight, right_founds AND left_founds AS join_both
            FROM sure_edges
        ),
        moved AS (SELECT node, cluster FROM moves UNION ALL SELECT node, cluster FROM sure),
        joined AS (
            SELECT node, match_weight, is_decided FROM joins
            UNION ALL SELECT node, match_weight, false FROM sure
            UNION ALL SELECT cluster, match_weight, false FROM sure WHERE join_both
        ),
        placed AS (
            SELECT nodes.node, nodes.kind, nodes.number, nodes.is_founder,
                   coalesce(moved.cluster, CASE WHEN nodes.is_founder THEN nodes.node END) AS cluster,
                   joined.match_weight, coalesce(joined.is_decided, false) AS is_decided
            FROM {nodes} AS nodes LEFT JOIN moved USING (node) LEFT JOIN joined USING (node)
        )
        -- Weak mentions that a person put together found nobody either.
        SELECT * REPLACE (CASE WHEN cluster IN (SELECT cluster FROM placed WHERE is_founder) THEN cluster END
                          AS cluster)
        FROM placed;
        """
    )
    find_decided_mentions(connection)
    connection.execute(
        f"""
        -- Most clusters are the one node that names them.
        CREATE OR REPLACE TABLE cluster_numbers AS
        WITH shared AS MATERIALIZED (SELECT DISTINCT cluster FROM node_clusters WHERE node <> cluster)
        SELECT cluster, number, CASE WHEN kind = 'anchor' THEN number END AS own_number
        FROM node_clusters WHERE node = cluster AND cluster NOT IN (FROM shared)
        UNION ALL
        SELECT cluster, min(number), min(number) FILTER (kind = 'anchor')
        FROM node_clusters WHERE cluster IN (FROM shared) GROUP BY cluster;
        CREATE OR REPLACE TABLE clustered AS
        SELECT o.mention, c.cluster,
               o.mention IN (SELECT mention FROM decided_mentions) OR {is_certain("o")} AS is_certain
        FROM node_of AS o JOIN node_clusters AS c USING (node) WHERE c.cluster IS NOT NULL
        """
    )
    connection.execute("DROP TABLE moves; DROP TABLE joins")
    return partition
