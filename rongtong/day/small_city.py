"""The small city: the input rows that the rows of the core follow from, in a work file of its own.

The same models run on it as on the whole city. Rows of people outside the core may come out incomplete there; they are
not taken over (``merge``).
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from rongtong.day.changes import SHAPES
from rongtong.day.closure import twins_of

_RECORD = "source_system, source_table, source_record_id"
_IN_RECORDS = f"({_RECORD}) IN (SELECT ({_RECORD}) FROM redone_{{}})"


def write_small_city(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Write the small city of the sets of ``closure`` to a new work file."""
    _find_inputs(connection)
    connection.execute(f"ATTACH '{str(file).replace(chr(39), chr(39) * 2)}' AS small")
    for schema in ("intermediate", "identity", "reference"):
        connection.execute(f"CREATE SCHEMA small.{schema}")
    for shape in SHAPES:
        chosen = f"FROM new_{shape}" if shape in ("payment_files", "institutions") else f"FROM chosen_{shape}"
        connection.execute(f"CREATE TABLE small.intermediate.int_{shape}__unioned AS {chosen}")
    connection.execute(
        """
        CREATE TABLE small.identity.mention_links AS SELECT * FROM work.identity.mention_links SEMI JOIN chosen_links
        USING (mention_key);
        CREATE TABLE small.identity.citizens AS
        SELECT * FROM work.identity.citizens SEMI JOIN small.identity.mention_links USING (citizen_id)
        """
    )
    seeds = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'work' AND schema_name = 'reference'"
    ).fetchall()
    for (seed,) in seeds:
        connection.execute(f"CREATE TABLE small.reference.{seed} AS FROM work.reference.{seed}")
    connection.execute("DETACH small")


def _find_inputs(connection: duckdb.DuckDBPyConnection) -> None:
    _find_payments_and_homes(connection)
    own = "mention_key IN (SELECT mention_key FROM own_mentions)"
    rows = {
        "payments": "FROM payments_in",
        "household_months": "FROM new_household_months SEMI JOIN homes_in USING (household_key)",
        "household_members": "FROM new_household_members SEMI JOIN homes_in USING (household_key)",
        "relations": f"FROM new_relations WHERE {own} OR related_{own}",
        "events": f"FROM new_events WHERE {own} OR mention_key IN (SELECT mention_key FROM chosen_relations)",
        "bed_stays": f"FROM new_bed_stays WHERE {own} OR {_IN_RECORDS.format('bed_stays')}",
        "care_visits": f"FROM new_care_visits WHERE {own} OR {_IN_RECORDS.format('care_visits')}",
        "care_registrations": f"FROM new_care_registrations WHERE {own}",
        "declarations": f"FROM new_declarations WHERE {own}",
    }
    for shape, chosen in rows.items():
        connection.execute(f"CREATE OR REPLACE TEMP TABLE chosen_{shape} AS {chosen}")
    linked = " UNION ".join(f"SELECT mention_key FROM chosen_{shape}" for shape in rows)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE chosen_links AS
        SELECT mention_key FROM own_mentions UNION SELECT mention_key FROM restated UNION {linked}
        UNION SELECT partner_mention_key FROM chosen_events UNION SELECT related_mention_key FROM chosen_relations;
        CREATE OR REPLACE TEMP TABLE chosen_mentions AS SELECT * FROM new_mentions SEMI JOIN chosen_links
        USING (mention_key)
        """
    )


def _find_payments_and_homes(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``own_mentions``, ``homes_in`` and ``payments_in``: people, and homes with their payments, are whole."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE own_mentions AS
        SELECT mention_key FROM new_mention_links
        WHERE citizen_id IN (
            SELECT citizen_id FROM core UNION SELECT citizen_id FROM witnesses UNION SELECT citizen_id FROM neighbours);
        CREATE OR REPLACE TEMP TABLE loose_payments AS
        SELECT mention_key, household_key FROM new_payments WHERE mention_key IN (
            SELECT mention_key FROM new_mentions SEMI JOIN loose_names USING (name)
            ANTI JOIN (SELECT mention_key FROM new_mention_links WHERE citizen_id IS NOT NULL) USING (mention_key));
        CREATE OR REPLACE TEMP TABLE homes_in AS
        SELECT household_key FROM core_homes UNION SELECT household_key FROM witness_homes
        UNION SELECT household_key FROM new_household_months SEMI JOIN own_mentions USING (mention_key)
        UNION SELECT household_key FROM new_household_members SEMI JOIN own_mentions USING (mention_key)
        UNION SELECT household_key FROM new_payments SEMI JOIN own_mentions USING (mention_key)
        WHERE household_key IS NOT NULL
        UNION SELECT household_key FROM loose_payments WHERE household_key IS NOT NULL;
        CREATE OR REPLACE TEMP TABLE payments_in AS
        SELECT * FROM new_payments
        WHERE mention_key IN (SELECT mention_key FROM own_mentions UNION SELECT mention_key FROM loose_payments)
            OR household_key IN (SELECT household_key FROM homes_in) OR {_IN_RECORDS.format("payments")}
        -- Which tables hold payments is asked of all payments.
        UNION SELECT * FROM new_payments
        QUALIFY row_number() OVER (PARTITION BY source_system, source_table ORDER BY source_record_id) = 1
        """
    )
    connection.execute(f"INSERT INTO payments_in ({twins_of('payments_in', 'new_payments')}) EXCEPT FROM payments_in")
