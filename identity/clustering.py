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
    Who has a part of a name and another birthday, though it be near, is not borne out by the family.
    """
    near_miss = f"gamma_birth BETWEEN 0 AND {level_number('birth', 'same') - 1}"
    rules = (
        (comparisons.NAME_SAME, _any(comparisons.SAME_NAME_SUPPORT)),
        (comparisons.RARE_NAME, _any(comparisons.RARE_NAME_SUPPORT)),
        (comparisons.NAME_SHORTENED, _any(comparisons.OWN_SUPPORT)),
        (comparisons.NAME_SHORTENED, f"NOT ({near_miss}) AND ({_any(comparisons.SHORTENED_NAME_SUPPORT)})"),
        # A name with a changed character may be a twin's.
        (comparisons.NAME_CHANGED, _any(comparisons.OWN_SUPPORT)),
        (comparisons.NAME_POLITE, _any(comparisons.POLITE_SUPPORT)),
    )
    return f"({' OR '.join(f'({_has_name(names)} AND ({support}))' for names, support in rules)})"


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


# What is told of two people whatever their names. Not kin, household and birthday: twins share them, and a level of
# theirs says more beside the same name.
_NAMELESS = ("number", "certificate", "document", "account", "sex", "phone", "address", "district")


def create_edges(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``edges``: the scored pairs that may join (the view ``joining_edges``), with whether each node founds a
    citizen; and those that join nobody but may bear out a doubt (``is_rival``): a part of the name agrees, and the
    birthday or the digits of the number that tell it.

    ``is_part``: one name is a part of the other or a polite form; ``is_own``: a thing of the very person agrees;
    ``nameless_weight``: the weight of what agrees whatever the names.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE edges AS
        SELECT left_node, right_node, match_weight, nameless_weight, l.is_founder AS left_founds,
               r.is_founder AS right_founds, NOT is_joining AS is_rival, is_part, is_own
        FROM (
            SELECT left_node, right_node, match_weight, {" + ".join(f"weight_{each}" for each in _NAMELESS)}
                       AS nameless_weight,
                   {is_linkable()} AND match_weight >= {weight_needed()} AS is_joining,
                   {_has_name((*comparisons.NAME_SHORTENED, *comparisons.NAME_POLITE))} AS is_part,
                   {_any(comparisons.OWN_SUPPORT)} AS is_own,
                   gamma_sex <> {level_number("sex", "different")}
                       AND ({_reaches("birth", "same")} OR {_reaches("number", "first_14")}) AS is_alike
            FROM scored_pairs
        ) JOIN nodes AS l ON l.node = left_node JOIN nodes AS r ON r.node = right_node
        WHERE is_joining OR is_part AND is_alike;
        CREATE OR REPLACE VIEW joining_edges AS FROM edges WHERE NOT is_rival
        """
    )


def find_twins(connection: duckdb.DuckDBPyConnection, nodes: str) -> None:
    """Create ``twins`` (node, partner, match_weight, is_rival): the partners of a ``node`` of relation ``nodes`` who
    may be twins, where a part of a name is all that says which of them is meant.

    Twins have different names and one birthday; their numbers share region and birthday, the first fourteen digits. A
    part of a name says nothing clearly, however much it weighs: what is left of the one's name, when it lost a
    character, can be the other's whole name. It is clear who is meant where a thing of the very person agrees with one
    of them only, or what is told whatever the name leads by ``thresholds.TWIN_MARGIN``.
    """
    clear = " OR ".join(
        f"""({one}.is_own AND NOT {other}.is_own
             OR {one}.nameless_weight - {other}.nameless_weight >= {thresholds.TWIN_MARGIN})
            AND NOT {one}.is_rival AND {one}.match_weight >= {other}.match_weight"""
        for one, other in (("s", "t"), ("t", "s"))
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE twins AS
        WITH parts AS MATERIALIZED (SELECT unnest([left_node, right_node]) AS node FROM edges WHERE is_part),
        either_way AS (
            SELECT left_node AS node, right_node AS partner, match_weight, nameless_weight, is_rival, is_part, is_own
            FROM edges ANTI JOIN cannot_links USING (left_node, right_node)
            UNION ALL
            SELECT right_node, left_node, match_weight, nameless_weight, is_rival, is_part, is_own
            FROM edges ANTI JOIN cannot_links USING (left_node, right_node)
        ),
        around AS MATERIALIZED (FROM either_way SEMI JOIN parts USING (node)),
        told AS MATERIALIZED (
            SELECT node, number, name, birth_days, died_on, acted_on,
                   CASE WHEN is_polite(name) THEN 0 WHEN has_unreadable(name) THEN 1 ELSE length(name) + 1 END
                       AS completeness
            FROM {nodes} SEMI JOIN (SELECT node FROM around UNION SELECT partner FROM around) USING (node)
            LEFT JOIN lives USING (node)
        ),
        -- Whom a node without a number may be: who bears its name, and whose name says more than its own.
        sides AS MATERIALIZED (
            SELECT a.*, p.number, p.name, p.birth_days
            FROM around AS a JOIN told AS n USING (node) JOIN told AS p ON p.node = a.partner
            WHERE n.number IS NULL AND (NOT a.is_part OR p.completeness > n.completeness)
              AND NOT coalesce(n.acted_on > p.died_on OR p.acted_on > n.died_on, false)
        ),
        doubts AS (
            SELECT node, unnest([s.partner, t.partner]) AS partner
            FROM sides AS s JOIN sides AS t USING (node)
            LEFT JOIN joining_edges AS e ON e.left_node = least(s.partner, t.partner)
                                        AND e.right_node = greatest(s.partner, t.partner)
            WHERE s.partner < t.partner AND s.name <> t.name AND (s.is_part OR t.is_part)
              AND NOT (s.is_rival AND t.is_rival) AND NOT ({clear})
              AND CASE WHEN s.number IS NOT NULL AND t.number IS NOT NULL
                       THEN s.number <> t.number AND substr(s.number, 1, 14) = substr(t.number, 1, 14)
                       ELSE length(s.name) = length(t.name) AND list_has_any(s.birth_days, t.birth_days)
                            AND e.left_node IS NULL END
        )
        SELECT node, partner, match_weight, is_rival
        FROM sides SEMI JOIN doubts USING (node, partner)
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
    find_twins(connection, nodes)
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
