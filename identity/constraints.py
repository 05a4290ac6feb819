"""What must never be one person, each with its reason: two parties of one record, two members of one month's file, a
mention and the owner of a number it carries wrongly. Two different sound numbers, far birth dates and an act in person
after a death are held apart by the clustering.
"""

from __future__ import annotations

from collections import defaultdict

import duckdb

from identity.cluster import Constraints, Doubt
from identity.content_id import anchor_id
from identity.decisions import LINK, NON_LINK

# Every named mention: its node and its kind, its record and the month's file of its household that it is a member of.
PARTIES = "(SELECT node, kind, record, file FROM mention_nodes WHERE node IS NOT NULL)"
# The node of every mention whose number is not its own, and the node that owns the number.
MISTAKEN = f"""(
    SELECT o.node, {anchor_id("l.id_no")} AS owner_node
    FROM number_judgements AS l JOIN unsettled_node_of AS o USING (mention) WHERE NOT starts_with(l.reason, 'id')
)"""


def create_cannot_links(
    connection: duckdb.DuckDBPyConnection, parties: str = PARTIES, mistaken: str = MISTAKEN
) -> None:
    """Create ``cannot_links``: pairs of nodes (left_node < right_node) without two numbers, and why.

    ``parties`` and ``mistaken`` are relations with the columns of those that stand for them.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE cannot_links AS
        WITH parties AS (
            SELECT record AS company, node, kind, 'two parties of one record' AS reason FROM {parties}
            UNION ALL
            SELECT file, node, kind, 'two members of one household in one month' FROM {parties} WHERE file IS NOT NULL
        ),
        -- Two with sound numbers of their own need no rule.
        together AS MATERIALIZED (
            SELECT DISTINCT company, node, kind, reason
            FROM parties SEMI JOIN (SELECT company FROM parties WHERE kind <> 'anchor') USING (company)
        ),
        mistaken AS (
            SELECT node, owner_node, 'the number belongs to another person' AS reason
            FROM {mistaken} SEMI JOIN (SELECT node AS owner_node FROM node_of) USING (owner_node)
        )
        SELECT least(a.node, b.node) AS left_node, greatest(a.node, b.node) AS right_node, min(a.reason) AS reason
        FROM together AS a JOIN together AS b ON a.company = b.company AND a.node < b.node
        WHERE a.kind <> 'anchor' OR b.kind <> 'anchor'
        GROUP BY ALL
        UNION
        SELECT least(node, owner_node), greatest(node, owner_node), min(reason) FROM mistaken
        WHERE node <> owner_node GROUP BY ALL
        UNION
        SELECT left_node, right_node, 'a person decided that they are two' FROM decided_pairs
        WHERE verdict = '{NON_LINK}'
        """
    )


def read_constraints(connection: duckdb.DuckDBPyConnection) -> Constraints:
    """The constraints that touch an open edge or a decided pair: numbers of nodes, pairs to keep apart or together."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE touched AS
        SELECT left_node AS node FROM open_edges UNION SELECT right_node FROM open_edges
        UNION SELECT left_node FROM decided_pairs UNION SELECT right_node FROM decided_pairs
        """
    )
    numbers = dict(
        connection.execute(
            "SELECT node, held_number FROM nodes WHERE held_number IS NOT NULL AND node IN (SELECT node FROM touched)"
        ).fetchall()
    )
    births = {
        node: tuple(days)
        for node, days in connection.execute(
            "SELECT node, birth_days FROM nodes WHERE len(birth_days) > 0 AND node IN (SELECT node FROM touched)"
        ).fetchall()
    }
    lives = {
        node: (died, acted)
        for node, died, acted in connection.execute(
            "SELECT node, died_on, acted_on FROM lives WHERE node IN (SELECT node FROM touched)"
        ).fetchall()
    }
    apart: dict[int, dict[int, str]] = defaultdict(dict)
    rows = connection.execute(
        "SELECT left_node, right_node, min(reason) FROM cannot_links"
        " WHERE left_node IN (SELECT node FROM touched) AND right_node IN (SELECT node FROM touched)"
        " GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    for left, right, reason in rows:
        apart[left][right] = reason
        apart[right][left] = reason
    decided = connection.execute("SELECT left_node, right_node, verdict FROM decided_pairs ORDER BY ALL").fetchall()
    founders = connection.execute(
        "SELECT node FROM nodes WHERE is_founder AND node IN"
        " (SELECT unnest([left_node, right_node]) FROM decided_pairs)"
    ).fetchall()
    twins: dict[int, dict[int, Doubt]] = defaultdict(dict)
    for node, partner, weight, is_rival in connection.execute("FROM twins ORDER BY ALL").fetchall():
        twins[node][partner] = weight, is_rival
    return Constraints(
        numbers=numbers,
        apart=dict(apart),
        births=births,
        lives=lives,
        decided=frozenset((left, right) for left, right, verdict in decided if verdict == NON_LINK),
        together=tuple((left, right) for left, right, verdict in decided if verdict == LINK),
        founders=frozenset(node for (node,) in founders),
        twins=dict(twins),
    )
