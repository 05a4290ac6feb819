"""The nodes of a few mentions, built again from what stands around them, not from the whole city.

A run keeps links and scored pairs, each pair named by the first mention of its nodes. To say which node a mention is
in, which number claims it lost and what must stay apart from it, the steps of the run are repeated over the mentions
that these steps look at: those that share its name, number or document, and whoever stands on their records or in
their households. Weights are never computed again: rarity is a matter of the whole city, and the run's weights are
kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from identity import blocking
from identity.constraints import create_cannot_links
from identity.mention import MentionsUnusable, read_mentions
from identity.resolve import prepare
from warehouse.duck import connect

MENTIONS = "work.intermediate.int_mentions__unioned"


@contextmanager
def open_run(work_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the run's work file attached read-only as ``work``.

    Raises ``MentionsUnusable`` when the run has no identities.
    """
    with connect() as connection:
        try:
            connection.execute(f"ATTACH '{str(work_file).replace(chr(39), chr(39) * 2)}' AS work (READ_ONLY)")
            connection.execute("SELECT 1 FROM work.identity.scored_pairs LIMIT 1")
            connection.execute("SELECT 1 FROM work.identity.decision_reports LIMIT 1")
        except duckdb.Error as error:
            raise MentionsUnusable(
                f"explain: the last run's work file cannot be read ({type(error).__name__}); make a run first."
            ) from None
        yield connection


def build(connection: duckdb.DuckDBPyConnection, mention_keys: Sequence[str]) -> None:
    """Create what a run builds before it scores, over the neighbourhood of ``mention_keys``.

    Tables ``mentions``, ``number_links``, ``node_of``, ``nodes``, ``pairs`` (as if no blocking key were too common) and
    ``cannot_links``; ``first_of`` gives a mention's key the key by which the run names its node.
    """
    connection.execute("CREATE OR REPLACE TEMP TABLE asked AS SELECT unnest(?) AS mention_key", [list(mention_keys)])
    connection.execute(
        f"""
        DETACH DATABASE IF EXISTS part;
        ATTACH ':memory:' AS part;
        CREATE SCHEMA part.intermediate;
        CREATE OR REPLACE TEMP TABLE asked_mentions AS SELECT * FROM {MENTIONS} SEMI JOIN asked USING (mention_key);
        CREATE OR REPLACE TEMP TABLE namesakes AS
        SELECT mention_key, record_key, household_key FROM {MENTIONS}
        WHERE name IN (SELECT name FROM asked_mentions WHERE name IS NOT NULL)
           OR id_no IN (SELECT id_no FROM asked_mentions WHERE id_no IS NOT NULL)
           OR other_document_no IN (SELECT other_document_no FROM asked_mentions WHERE other_document_no IS NOT NULL)
           OR mention_key IN (SELECT mention_key FROM asked);
        CREATE TABLE part.intermediate.int_mentions__unioned AS
        SELECT * FROM {MENTIONS}
        WHERE record_key IN (SELECT record_key FROM namesakes)
           OR household_key IN (SELECT household_key FROM namesakes WHERE household_key IS NOT NULL)
        """
    )
    read_mentions(connection, "part")
    connection.execute(
        """
        CREATE OR REPLACE TABLE decisions AS
        SELECT row_number() OVER () AS sequence, decision_id, verdict, l.mention AS mention_l, r.mention AS mention_r
        FROM work.identity.decision_reports AS d
        JOIN mentions AS l ON l.mention_key = d.mention_key_l JOIN mentions AS r ON r.mention_key = d.mention_key_r
        WHERE trouble IS NULL AND verdict IN ('link', 'non-link')
        """
    )
    prepare(connection)
    blocking.create_pairs(connection)
    create_cannot_links(connection)
    connection.execute(
        """
        CREATE OR REPLACE TABLE first_of AS
        SELECT m.mention_key, n.first_key, o.node, n.mention_count, n.is_founder
        FROM node_of AS o JOIN mentions AS m USING (mention) JOIN nodes AS n USING (node)
        """
    )
