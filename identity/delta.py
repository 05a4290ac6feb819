"""A day's run: what changed is linked against what was kept, and the result is the one of a full run.

Exact, not nearly so: a node is derived again when anything changed that its row is made of; a pair when one of its
nodes changed, or a block of theirs became too common or ceased to be; a cluster when anything changed in the connected
part of the graph of edges that it lies in, for the greedy clustering of one part never looks at another.
"""

from __future__ import annotations

import duckdb

from identity import blocking, rarity, score, thresholds
from identity.changes import load_wanted, mentions_now
from identity.citizen_id import print_of, prints
from identity.cluster import Partition
from identity.clustering import cluster_nodes, create_edges
from identity.constraints import create_cannot_links
from identity.kept import SCORED_ROWS, kept_nodes
from identity.links import without_joined
from identity.lives import create_lives
from identity.model import Parameters
from identity.nodes import describe_nodes, find_kin

# What of a node neither blocking, comparing nor clustering reads.
_UNREAD = ("mention_count",)
# What of a mention clustering and links read.
_OF_MEMBERS = "node, node_kind AS kind, is_withdrawn, reason, claim, number, record, file, name, is_dated"
# What of a node clustering reads.
_CLUSTERED_COLUMNS = (
    f"node, kind, {score.NUMBER} AS number, {score.HELD_NUMBER} AS held_number, is_founder, birth_days, name, first_key"
)


def derive_nodes(connection: duckdb.DuckDBPyConnection) -> None:
    """Derive again the nodes whose row can have changed: ``nodes`` holds them, ``derived`` names them, gone ones too.

    Creates ``dirty``: those whose row did change, came or went.
    """
    describe_nodes(connection)
    connection.execute("CREATE OR REPLACE TABLE profiles AS FROM profile_rows")
    find_kin(connection)
    rarity.find_changed_classes(connection)
    columns = ", ".join(
        row[0] for row in connection.execute("DESCRIBE profiles").fetchall() if row[0] in score.NODE_COLUMNS
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE derived AS
        SELECT node FROM touched_nodes UNION SELECT node FROM beside_changed UNION SELECT node FROM reclassed;
        CREATE OR REPLACE TEMP TABLE derived_before AS
        SELECT * FROM kept.node SEMI JOIN derived USING (node);
        -- Of whose members nobody changed the profile stands.
        INSERT INTO profiles BY NAME
        SELECT {columns} FROM derived_before ANTI JOIN touched_nodes USING (node);
        INSERT INTO sounds BY NAME
        SELECT * FROM kept.sound SEMI JOIN profiles USING (name) ANTI JOIN sounds USING (name);
        DELETE FROM kin_lists
        WHERE node NOT IN (SELECT node FROM touched_nodes UNION SELECT node FROM beside_changed);
        INSERT INTO kin_lists BY NAME
        SELECT node, kin, kin_sounds FROM derived_before SEMI JOIN reclassed USING (node)
        ANTI JOIN touched_nodes USING (node) ANTI JOIN beside_changed USING (node)
        """
    )
    rarity.classify(connection)
    connection.execute(f"CREATE OR REPLACE TABLE nodes AS {score.comparable_nodes(f'({score.node_rows()})')}")
    before, now = (
        f"({', '.join(f'{row}.{column}' for column in score.NODE_COLUMNS if column not in _UNREAD)})"
        for row in ("b", "n")
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE dirty AS
        SELECT node FROM derived_before AS b FULL JOIN nodes AS n USING (node)
        WHERE {before} IS DISTINCT FROM {now}
        """
    )


def propose_pairs(connection: duckdb.DuckDBPyConnection) -> None:
    """Propose again the pairs of the nodes that changed, and of those in a block that became too common or ceased to be
    (``repaired``).
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE dirty_now AS SELECT * FROM nodes SEMI JOIN dirty USING (node);
        CREATE OR REPLACE TEMP TABLE dirty_before AS {kept_nodes("dirty", "derived_before")};
        CREATE OR REPLACE TEMP TABLE blocks_new AS {blocking.block_rows("dirty_now")};
        CREATE OR REPLACE TEMP TABLE blocks_left AS {blocking.block_rows("dirty_before")};
        CREATE OR REPLACE TEMP TABLE blocks_met AS
        SELECT * FROM kept.block SEMI JOIN (FROM blocks_new UNION ALL FROM blocks_left) USING (block);
        CREATE OR REPLACE TEMP TABLE blocks_touched AS
        -- In a block in which nobody asks nothing is proposed.
        SELECT block FROM blocks_new WHERE asks UNION SELECT block FROM blocks_met WHERE asks;
        CREATE OR REPLACE TEMP TABLE blocks_before AS SELECT * FROM blocks_met SEMI JOIN blocks_touched USING (block);
        CREATE OR REPLACE TEMP TABLE turned AS
        WITH sizes AS (
            SELECT block, count(*) FILTER (is_before) AS before, count(*) FILTER (NOT is_before OR stays) AS after
            FROM (
                SELECT block, true AS is_before, node NOT IN (SELECT node FROM dirty) AS stays FROM blocks_before
                UNION ALL SELECT block, false, true FROM blocks_new SEMI JOIN blocks_touched USING (block)
            ) GROUP BY block
        )
        SELECT block FROM sizes WHERE (before <= {blocking.limit_of_rule()}) <> (after <= {blocking.limit_of_rule()});
        CREATE OR REPLACE TEMP TABLE beyond AS
        SELECT DISTINCT node FROM blocks_before SEMI JOIN turned USING (block) ANTI JOIN dirty USING (node);
        CREATE OR REPLACE TEMP TABLE repaired AS SELECT node FROM dirty UNION ALL SELECT node FROM beyond;
        CREATE OR REPLACE TEMP TABLE blocks_beyond AS SELECT * FROM kept.block SEMI JOIN beyond USING (node);
        CREATE OR REPLACE TEMP TABLE blocks_theirs AS FROM blocks_new UNION ALL FROM blocks_beyond;
        CREATE OR REPLACE TEMP TABLE blocks_met_beyond AS
        SELECT * FROM kept.block SEMI JOIN (
            SELECT block FROM blocks_beyond ANTI JOIN blocks_met USING (block)) USING (block);
        CREATE OR REPLACE TEMP TABLE blocks_asked AS
        WITH members AS (
            SELECT * FROM blocks_before ANTI JOIN dirty USING (node)
            UNION ALL
            SELECT * FROM blocks_met_beyond SEMI JOIN (SELECT block FROM blocks_met_beyond WHERE asks) USING (block)
            UNION ALL SELECT * FROM blocks_new SEMI JOIN blocks_touched USING (block)
        )
        SELECT * FROM members QUALIFY count(*) OVER (PARTITION BY block) <= {blocking.limit_of_rule()}
        """
    )
    blocking.propose(connection, "blocks_theirs", "blocks_asked")
    bring_nodes(connection, "SELECT left_node AS node FROM proposed UNION SELECT right_node FROM proposed")
    connection.execute(
        "INSERT INTO sounds BY NAME"
        " SELECT * FROM kept.sound SEMI JOIN (SELECT name FROM nodes) USING (name) ANTI JOIN sounds USING (name)"
    )
    blocking.settle_pairs(connection)


def score_changed(connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> None:
    """Score the pairs proposed again. ``edges`` then holds every edge of this run, ``scored_now`` every pair."""
    score.score_pairs(connection, parameters)
    create_edges(connection)
    stays = "left_node NOT IN (SELECT node FROM repaired) AND right_node NOT IN (SELECT node FROM repaired)"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE edges_new AS FROM edges;
        CREATE OR REPLACE TEMP TABLE scored_new AS {SCORED_ROWS};
        INSERT INTO edges BY NAME SELECT * FROM kept.edge WHERE {stays};
        CREATE OR REPLACE TEMP VIEW scored_now AS
        SELECT * FROM kept.scored WHERE {stays} UNION ALL BY NAME SELECT * FROM scored_new;
        """
    )


def bring_nodes(connection: duckdb.DuckDBPyConnection, asked: str, row: str | None = None) -> None:
    """Add to ``nodes`` the kept rows of the nodes of query ``asked`` that were not derived again.

    ``row`` says what of a kept row is brought; all of it, and what follows from it, unless told.
    """
    rows = kept_nodes("brought") if row is None else f"SELECT {row} FROM kept.node SEMI JOIN brought USING (node)"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE brought AS
        FROM ({asked}) ANTI JOIN derived USING (node) ANTI JOIN nodes USING (node);
        INSERT INTO nodes BY NAME {rows}
        """
    )


def find_affected(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``affected``: every node of a connected part of the graph in which something changed, gone ones too.

    The graph has the edges of both runs: who loses an edge is affected as well. Creates ``lives_now``.
    """
    create_lives(connection, "work", "(SELECT mention, node, is_withdrawn FROM mention_now WHERE node IS NOT NULL)")
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE lives_now AS FROM lives;
        CREATE OR REPLACE TEMP TABLE graph AS
        WITH either AS (
            SELECT left_node, right_node FROM edges UNION SELECT left_node, right_node FROM kept.edge
            UNION SELECT left_node, right_node FROM decided_pairs
        )
        SELECT left_node AS node, right_node AS other FROM either UNION ALL SELECT right_node, left_node FROM either;
        CREATE OR REPLACE TEMP TABLE affected AS
        SELECT node FROM touched_nodes UNION SELECT node FROM repaired
        UNION SELECT node FROM ((FROM lives_now EXCEPT FROM kept.life) UNION ALL (FROM kept.life EXCEPT FROM lives_now))
        UNION SELECT unnest([left_node, right_node]) FROM decided_pairs
        """
    )
    spread(connection)


def spread(connection: duckdb.DuckDBPyConnection) -> None:
    """Add to ``affected`` whatever is connected with it in ``graph``."""
    grown = -1
    while grown:
        grown = connection.execute(
            """
            INSERT INTO affected
            SELECT DISTINCT other FROM graph SEMI JOIN affected USING (node)
            WHERE other NOT IN (SELECT node FROM affected)
            """
        ).fetchall()[0][0]


def cluster_affected(connection: duckdb.DuckDBPyConnection) -> Partition:
    """Cluster the affected nodes again; ``open_pairs`` holds the undecided pairs that touch one of them."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE around AS
        SELECT unnest([left_node, right_node]) AS node FROM scored_now
        WHERE match_weight >= {thresholds.REVIEW_WEIGHT}
          AND (left_node IN (SELECT node FROM affected) OR right_node IN (SELECT node FROM affected))
        UNION SELECT node FROM affected;
        CREATE OR REPLACE TEMP TABLE members_around AS
        {mentions_now(_OF_MEMBERS, "around", "node")};
        CREATE OR REPLACE VIEW node_of AS SELECT mention, node, kind, is_withdrawn, reason FROM members_around
        """
    )
    bring_nodes(connection, "SELECT node FROM around", _CLUSTERED_COLUMNS)
    mistaken = "(SELECT node, number AS owner_node FROM members_around WHERE NOT starts_with(claim, 'id'))"
    create_cannot_links(connection, "members_around", mistaken)
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE lives AS SELECT * FROM lives_now SEMI JOIN affected USING (node);
        DELETE FROM edges WHERE left_node NOT IN (SELECT node FROM affected);
        CREATE OR REPLACE TEMP TABLE open_pairs AS {without_joined(_TOUCHING)}
        """
    )
    return cluster_nodes(connection, "(SELECT * FROM nodes SEMI JOIN affected USING (node))")


def find_contested(connection: duckdb.DuckDBPyConnection) -> None:
    """Add to ``affected`` whoever has a claim to an id to which an affected mention or number has one, and so on.

    Needs the ledger. An id goes to its best claim, so all who may claim it are clustered together; a few too many do no
    harm. A mention claims the id it had last and the first it ever had; a number, the one under which it was known.
    """
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE claimed_anew AS
        -- Who comes back claims what it had when it left.
        SELECT unnest([citizen, origin]) AS citizen FROM ledger.member SEMI JOIN changed USING (mention);
        CREATE OR REPLACE TEMP TABLE asked_nodes (node BIGINT);
        CREATE OR REPLACE TEMP TABLE origins_before AS
        SELECT DISTINCT cluster, origin AS citizen FROM kept.link WHERE origin IS NOT NULL;
        CREATE OR REPLACE TEMP VIEW claims_before AS
        SELECT cluster, citizen FROM kept.citizen UNION ALL FROM origins_before
        """
    )
    grown = True
    while grown:
        _claim_anew(connection)
        connection.execute(
            """
            CREATE OR REPLACE TEMP TABLE claimed AS
            SELECT citizen FROM claims_before SEMI JOIN (
                SELECT cluster FROM kept.node_cluster SEMI JOIN affected USING (node)) USING (cluster)
            UNION FROM claimed_anew;
            CREATE OR REPLACE TEMP TABLE claiming AS
            SELECT cluster FROM claims_before SEMI JOIN claimed USING (citizen)
            UNION
            SELECT cluster FROM kept.citizen SEMI JOIN (
                SELECT number_print FROM ledger.citizen WHERE sequence IN (SELECT citizen FROM claimed))
            USING (number_print)
            """
        )
        grown = connection.execute(
            """
            INSERT INTO affected
            SELECT DISTINCT node FROM kept.node_cluster SEMI JOIN claiming USING (cluster)
            ANTI JOIN affected USING (node)
            """
        ).fetchall()[0][0]
        spread(connection)


def _claim_anew(connection: duckdb.DuckDBPyConnection) -> None:
    """Add to ``claimed_anew`` what affected nodes may claim beside what their clusters had: the ids under which their
    numbers were known, for a number can have stood behind another in its cluster; and of who was in no cluster, the ids
    that it ever had.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE fresh_nodes AS
        SELECT DISTINCT node FROM affected ANTI JOIN asked_nodes USING (node);
        INSERT INTO asked_nodes FROM fresh_nodes;
        INSERT INTO claimed_anew
        SELECT sequence FROM ledger.citizen SEMI JOIN (
            SELECT {print_of("number")} AS number_print FROM (
                SELECT number FROM nodes SEMI JOIN fresh_nodes USING (node)
                UNION SELECT {score.NUMBER} FROM kept.node SEMI JOIN fresh_nodes USING (node)
            ) WHERE number IS NOT NULL
        ) USING (number_print)
        UNION
        SELECT unnest([citizen, origin]) FROM ledger.member SEMI JOIN (
            SELECT mention FROM kept.mention SEMI JOIN (
                SELECT node FROM kept.node_cluster SEMI JOIN fresh_nodes USING (node) WHERE cluster IS NULL
            ) USING (node)
        ) USING (mention)
        """
    )


def relink(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``relinked`` (mentions whose link is written again, with what links read of them), ``in_scope`` (these,
    and whoever left) and ``links_before`` (mention and its key of those of them that the last run had).
    """
    told = "mention, is_withdrawn, name, number, is_dated"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE in_scope AS
        SELECT mention FROM members_around SEMI JOIN affected USING (node) UNION SELECT mention FROM moved;
        CREATE OR REPLACE TEMP TABLE links_before AS
        SELECT mention, mention_key FROM kept.link SEMI JOIN in_scope USING (mention);
        CREATE OR REPLACE TEMP TABLE relinked AS
        SELECT {told}, name IS NOT NULL AS is_named, coalesce(m.mention_key, b.mention_key) AS mention_key
        FROM (SELECT {told} FROM members_around SEMI JOIN affected USING (node)
              UNION SELECT {told} FROM placed SEMI JOIN moved USING (mention))
        LEFT JOIN (SELECT mention, mention_key FROM mentions) AS m USING (mention)
        LEFT JOIN links_before AS b USING (mention)
        """
    )


def create_relinked_prints(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``prints`` of the clustered mentions. Needs the ledger: of who had a citizen id and said nothing new, it
    has them; of who has no number, what is kept says enough; the others' rows are fetched.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE prints AS
        SELECT mention, name_print, number_print FROM ledger.member SEMI JOIN clustered USING (mention)
        ANTI JOIN changed USING (mention) WHERE citizen IS NOT NULL;
        INSERT INTO prints BY NAME
        {prints("(SELECT mention, name, NULL::VARCHAR AS id_no FROM relinked WHERE number IS NULL)")}
        SEMI JOIN clustered USING (mention) ANTI JOIN prints USING (mention);
        CREATE OR REPLACE TEMP TABLE wanted AS SELECT mention FROM clustered ANTI JOIN prints USING (mention)
        """
    )
    load_wanted(connection)
    connection.execute(f"INSERT INTO prints BY NAME {prints('mentions')} SEMI JOIN wanted USING (mention)")


def bring_neighbours(connection: duckdb.DuckDBPyConnection) -> None:
    """Add to ``node_clusters`` where the nodes are that an undecided pair joins with an affected one."""
    connection.execute(
        """
        INSERT INTO node_clusters BY NAME
        SELECT * FROM kept.node_cluster SEMI JOIN around USING (node) ANTI JOIN affected USING (node)
        """
    )


_TOUCHING = """(
    SELECT left_node, right_node, match_weight FROM scored_now
    WHERE left_node IN (SELECT node FROM affected) OR right_node IN (SELECT node FROM affected)
)"""
