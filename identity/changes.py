"""What changed since the last run: mentions that came, went or say something else, and what they touch.

Tables that end in ``_now`` are of this run, those of schema ``kept`` of the last. A mention is derived again when a
step of the full run would look at something that changed: its number's other places, its record, its household.
"""

from __future__ import annotations

import duckdb

from identity import claims, comparisons, han
from identity.decisions import create_decided_pairs
from identity.kept import MENTION_ROWS
from identity.mention import MENTIONS, delivered_rows, mention_rows, repeated
from identity.nodes import create_node_members, likely_nodes, number_nodes, stood_beside
from identity.sound import create_sounds

# A larger share of changed mentions than this is cheaper to work out anew, unless it is a few.
MAX_SHARE = 0.2
FEW = 10_000


def find_changes(connection: duckdb.DuckDBPyConnection, catalog: str) -> tuple[int, int]:
    """Create ``changed``, the mentions of ``catalog`` that came, went or say something else; return how many these are,
    and how many mentions there are.

    One reading: a row that says what was said has a digest that was kept. Whatever a person decided about counts as
    changed: a decision and its taking back work on any mention. Table ``mentions`` holds the rows that came, ``gone``
    the mentions whose row went. Raises ``MentionsUnusable`` as ``read_mentions`` does.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE differing AS
        SELECT d.*, k.mention AS kept_mention
        FROM ({delivered_rows(connection, catalog)}) AS d
        FULL JOIN (SELECT mention, row_hash AS kept_hash FROM kept.mention) AS k ON k.kept_hash = d.row_hash
        WHERE d.row_hash IS NULL OR k.kept_hash IS NULL;
        CREATE OR REPLACE TABLE mentions AS
        {mention_rows("SELECT * EXCLUDE (kept_mention) FROM differing WHERE kept_mention IS NULL")};
        CREATE OR REPLACE TEMP TABLE gone AS SELECT kept_mention AS mention FROM differing WHERE row_hash IS NULL;
        DROP TABLE differing;
        CREATE OR REPLACE TEMP TABLE changed AS
        SELECT mention FROM mentions UNION SELECT mention FROM gone
        UNION SELECT mention FROM kept.decided UNION SELECT unnest([mention_l, mention_r]) FROM decisions
        """
    )
    changed, total, distinct = connection.execute(
        f"""
        SELECT (SELECT count(*) FROM changed), (SELECT count(*) FROM {catalog}.intermediate.{MENTIONS}),
               (SELECT count(*) FROM kept.mention) - (SELECT count(*) FROM gone)
               + (SELECT count(DISTINCT mention) FROM mentions WHERE mention NOT IN (
                    SELECT mention FROM kept.mention SEMI JOIN mentions USING (mention) ANTI JOIN gone USING (mention)))
        """
    ).fetchall()[0]
    if total != distinct:
        raise repeated(total - distinct)
    return int(changed), int(total)


def derive_members(connection: duckdb.DuckDBPyConnection) -> None:
    """Derive again the claims and the nodes of whatever the changed mentions touch.

    Creates ``members_now`` (rows as kept of mentions derived again), ``moved`` (mentions that changed or whose node or
    claim did) and ``touched_nodes`` (nodes that lost, gained or changed a member).
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE seen AS
        SELECT mention, number, record, household FROM kept.mention ANTI JOIN gone USING (mention)
        UNION ALL SELECT mention, anchor, record, household FROM mentions;
        CREATE OR REPLACE TEMP TABLE before AS SELECT * FROM kept.mention SEMI JOIN changed USING (mention);
        CREATE OR REPLACE TEMP TABLE fresh AS
        SELECT mention, number, record, household FROM seen SEMI JOIN changed USING (mention);
        CREATE OR REPLACE TEMP TABLE changed_places AS
        SELECT record, household, number FROM before UNION SELECT record, household, number FROM fresh;
        CREATE OR REPLACE TEMP TABLE on_record AS
        SELECT mention, number FROM seen WHERE record IN (SELECT record FROM changed_places);
        CREATE OR REPLACE TEMP TABLE touched_numbers AS
        SELECT number FROM changed_places WHERE number IS NOT NULL
        UNION SELECT number FROM on_record WHERE number IS NOT NULL
        UNION SELECT number FROM seen
        WHERE household IN (SELECT household FROM changed_places) AND number IS NOT NULL;
        -- Of two members of one file who bear one name, either tells the other's node.
        CREATE OR REPLACE TEMP TABLE changed_members AS
        SELECT file, name FROM before WHERE file IS NOT NULL
        UNION SELECT file, name FROM mentions WHERE file IS NOT NULL;
        CREATE OR REPLACE TEMP TABLE again AS
        SELECT mention, record, household FROM seen
        WHERE number IN (SELECT number FROM touched_numbers) OR mention IN (SELECT mention FROM fresh)
           OR mention IN (SELECT mention FROM on_record)
        UNION
        SELECT mention, record, household FROM (FROM kept.mention WHERE file IN (SELECT file FROM changed_members))
        SEMI JOIN changed_members USING (file, name) ANTI JOIN gone USING (mention);
        CREATE OR REPLACE TEMP TABLE wanted AS
        SELECT mention FROM again
        UNION SELECT mention FROM seen WHERE record IN (SELECT record FROM again)
        UNION SELECT mention FROM seen
        WHERE household IN (SELECT household FROM again WHERE household IS NOT NULL)
        -- Members of the nodes that will be touched, as far as can be told: each fetching reads the whole input.
        UNION SELECT mention FROM kept.mention WHERE node IN (
            SELECT node FROM kept.mention WHERE mention IN (SELECT mention FROM again UNION ALL FROM changed)
            UNION ALL {likely_nodes()})
        """
    )
    load_wanted(connection)
    han.create_macros(connection)
    create_sounds(connection, "kept.sound", lambda: claims.find_weighed(connection))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE sounds_new AS SELECT * FROM sounds ANTI JOIN kept.sound USING (name)"
    )
    claims.create_claims(connection)
    comparisons.create_macros(connection)
    claims.disown_numbers_of_kin(connection)
    create_node_members(connection)
    number_nodes(connection)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE members_now AS SELECT * FROM ({MENTION_ROWS}) SEMI JOIN again USING (mention);
        CREATE OR REPLACE TEMP TABLE moved AS
        SELECT mention, old.node AS old_node, now.node AS node,
               old.record AS old_record, old.household AS old_household, now.record, now.household
        FROM (SELECT * FROM kept.mention WHERE mention IN (SELECT mention FROM again UNION SELECT mention FROM changed))
             AS old FULL JOIN members_now AS now USING (mention)
        WHERE mention IN (SELECT mention FROM changed)
           OR (old.node, old.kind, old.reason, old.claim) IS DISTINCT FROM (now.node, now.kind, now.reason, now.claim);
        CREATE OR REPLACE TEMP TABLE touched_nodes AS
        SELECT old_node AS node FROM moved WHERE old_node IS NOT NULL
        UNION SELECT node FROM moved WHERE node IS NOT NULL
        """
    )


def load_wanted(connection: duckdb.DuckDBPyConnection) -> None:
    """Add to ``mentions`` the rows of ``wanted`` that are not there yet."""
    rows = delivered_rows(connection, "work", "SEMI JOIN missing USING (mention_key)")
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE missing AS
        SELECT mention_key FROM kept.link SEMI JOIN (FROM wanted ANTI JOIN mentions USING (mention)) USING (mention)
        """
    )
    if connection.execute("SELECT 1 FROM missing LIMIT 1").fetchall():
        connection.execute(f"INSERT INTO mentions BY NAME {mention_rows(rows)}")


def place_members(connection: duckdb.DuckDBPyConnection) -> None:
    """Place every member of the touched nodes: ``node_of`` holds these nodes whole. Nobody is settled any more.

    Creates ``placed`` (rows as kept of every mention that moved or stands in a touched node) and the view
    ``mention_now`` (every mention of this run, as it will be kept).
    """
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE members_before AS SELECT * FROM kept.mention SEMI JOIN touched_nodes USING (node);
        CREATE OR REPLACE TABLE unsettled_members AS
        SELECT mention, is_withdrawn, kind, reason, node FROM members_now SEMI JOIN touched_nodes USING (node)
        UNION ALL
        SELECT mention, is_withdrawn, kind, reason, node FROM members_before
        ANTI JOIN again USING (mention) ANTI JOIN changed USING (mention);
        CREATE OR REPLACE TEMP TABLE wanted AS SELECT mention FROM unsettled_members;
        TRUNCATE settled_numbers;
        CREATE OR REPLACE TEMP VIEW settled AS FROM mentions WHERE false;
        CREATE OR REPLACE TEMP VIEW unsettled AS FROM mentions
        """
    )
    load_wanted(connection)
    number_nodes(connection)
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE placed AS
        WITH rows_now AS (
            SELECT * FROM members_now SEMI JOIN moved USING (mention)
            UNION ALL
            SELECT * FROM members_before SEMI JOIN node_of USING (mention) ANTI JOIN moved USING (mention)
        )
        SELECT r.* REPLACE (CASE WHEN n.node IS NULL THEN r.node_kind ELSE n.kind END AS node_kind)
        FROM rows_now AS r LEFT JOIN unsettled_nodes AS n USING (node);
        CREATE OR REPLACE TEMP TABLE mentions_replaced AS SELECT mention FROM changed UNION SELECT mention FROM placed;
        CREATE OR REPLACE TEMP VIEW mention_now AS
        SELECT * FROM kept.mention ANTI JOIN mentions_replaced USING (mention) UNION ALL SELECT * FROM placed
        """
    )
    create_decided_pairs(connection)


def find_changed_company(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``beside_changed``: nodes in whose record or household somebody came, went or became another.

    The view ``stood_beside`` then tells everybody who stands beside these or a touched node, this day.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE suspects AS
        SELECT unnest([old_record, old_household, record, household]) AS company FROM moved
        UNION
        SELECT unnest([p.record, p.household]) FROM placed AS p
        JOIN (SELECT DISTINCT node, node_kind FROM members_before) AS k USING (node)
        WHERE p.node_kind <> k.node_kind;
        DELETE FROM suspects WHERE company IS NULL;
        CREATE OR REPLACE TEMP TABLE suspected AS
        SELECT mention, {_COMPANY} FROM kept.mention
        WHERE node IS NOT NULL AND (record IN (FROM suspects) OR household IN (FROM suspects));
        CREATE OR REPLACE TEMP TABLE company_before AS {stood_beside(_by_kind("suspected"), "suspects")};
        CREATE OR REPLACE TEMP TABLE company_now AS {_beside("suspects", "suspected")};
        CREATE OR REPLACE TEMP TABLE other_company AS
        SELECT DISTINCT company FROM (
            (FROM company_before EXCEPT FROM company_now) UNION ALL (FROM company_now EXCEPT FROM company_before)
        );
        CREATE OR REPLACE TEMP TABLE beside_changed AS
        SELECT node FROM company_before SEMI JOIN other_company USING (company)
        UNION SELECT node FROM company_now SEMI JOIN other_company USING (company);
        CREATE OR REPLACE TEMP TABLE their_companies AS
        SELECT DISTINCT unnest([record, household]) AS company FROM ({
            mentions_now("record, household", "(FROM touched_nodes UNION FROM beside_changed)", "node")
        });
        CREATE OR REPLACE TEMP TABLE stood_beside_now AS {_beside("their_companies")};
        CREATE OR REPLACE TEMP VIEW stood_beside AS FROM stood_beside_now
        """
    )
    connection.execute(
        """
        INSERT INTO sounds BY NAME
        SELECT * FROM kept.sound SEMI JOIN stood_beside_now USING (name) ANTI JOIN sounds USING (name)
        """
    )


def mentions_now(columns: str, keys: str, *names: str, among: str = "kept.mention") -> str:
    """SQL: of the mentions of this run, as they will be kept, those with one of keys ``names`` in relation ``keys``.

    ``keys`` has one column; ``among`` holds the kept mentions that can be meant. These are narrowed first: the engine
    then reads little of them.
    """
    known = " OR ".join(f"{name} IN (FROM {keys})" for name in names)
    return f"""
        WITH found AS MATERIALIZED (SELECT mention, {columns} FROM {among} WHERE {known})
        FROM found ANTI JOIN mentions_replaced USING (mention)
        UNION ALL SELECT mention, {columns} FROM placed WHERE {known}
    """


_COMPANY = "record, household, node, node_kind, name, is_withdrawn"


def _beside(companies: str, among: str = "kept.mention") -> str:
    """SQL: as ``stood_beside`` of this run, of the records and households of relation ``companies`` only."""
    found = mentions_now(_COMPANY, companies, "record", "household", among=among)
    return stood_beside(_by_kind(f"({found}) WHERE node IS NOT NULL"), companies)


def _by_kind(mentions: str) -> str:
    """SQL: rows of kept mentions as ``stood_beside`` reads them."""
    return f"(SELECT * RENAME (node_kind AS kind) FROM {mentions})"
