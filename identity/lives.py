"""When the person of a node died, and when it last took part in an act that needs it alive and present.

Only what needs presence counts. A benefit drawn after a death is what findings look for: it holds nobody apart.
"""

from __future__ import annotations

import duckdb

from identity.content_id import content_id

# Event types of shape ``events``. An annulment is made without the person.
ACTS_IN_PERSON = ("marriage", "divorce", "certificate_reissue")
DEATH = "death"
EVENTS = "int_events__unioned"


PLACED = "(SELECT mention, node, is_withdrawn FROM mention_nodes WHERE node IS NOT NULL)"


def create_lives(connection: duckdb.DuckDBPyConnection, catalog: str, placed: str = PLACED) -> None:
    """Create ``lives``: node, died_on and acted_on of the nodes of whom the events of ``catalog`` tell either.

    ``placed`` is a relation of the mentions with their nodes.

    A death counts when it is known to the day; of several the latest stands, the cautious date. A work file without
    events tells of no life.
    """
    told = connection.execute(
        "SELECT 1 FROM information_schema.tables WHERE table_catalog = ? AND table_schema = 'intermediate'"
        " AND table_name = ?",
        [catalog, EVENTS],
    ).fetchall()
    acts = ", ".join(f"'{act}'" for act in ACTS_IN_PERSON)
    connection.execute("CREATE OR REPLACE TABLE lives (node BIGINT, died_on DATE, acted_on DATE)")
    if told:
        connection.execute(
            f"""
            INSERT INTO lives
            SELECT m.node, max(e.event_date) FILTER (e.event_type = '{DEATH}' AND e.date_precision = 'day'),
                   max(e.event_date) FILTER (e.event_type IN ({acts}))
            FROM {catalog}.intermediate.{EVENTS} AS e
            JOIN {placed} AS m ON m.mention = {content_id("e.mention_key")}
            WHERE NOT coalesce(e.is_withdrawn, false) AND NOT m.is_withdrawn
              AND e.event_type IN ('{DEATH}', {acts}) AND e.event_date IS NOT NULL
            GROUP BY m.node
            """
        )
