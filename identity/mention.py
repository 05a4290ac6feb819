"""Read the mentions of a run and collapse identical ones: a person assisted for a year is one node, not 36 rows."""

from __future__ import annotations

import duckdb

NEEDED = (
    "mention_key", "record_key", "source_table", "role", "is_withdrawn", "name", "id_no", "damaged_id_no",
    "other_document_no", "certificate_id_no", "birth_date", "birth_date_precision", "sex", "phones", "address",
    "hukou_district", "managing_district", "bank_account", "household_key", "said_on",
)  # fmt: skip


class MentionsUnusable(RuntimeError):
    """The mentions of the work file cannot be linked; the message says why and what to mend."""


def read_mentions(connection: duckdb.DuckDBPyConnection, catalog: str) -> int:
    """Copy the mentions of ``catalog`` into table ``mentions`` and return how many there are.

    Raises ``MentionsUnusable`` when the table is missing, lacks a column, or repeats a mention key.
    """
    found = {
        row[0]
        for row in connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_catalog = ?"
            " AND table_schema = 'intermediate' AND table_name = 'int_mentions__unioned'",
            [catalog],
        ).fetchall()
    }
    if not found:
        raise MentionsUnusable(
            "identity: the work file has no intermediate.int_mentions__unioned; build staging first."
        )
    if missing := [column for column in NEEDED if column not in found]:
        raise MentionsUnusable(
            f"identity: intermediate.int_mentions__unioned lacks {', '.join(missing)}; build it from shape mentions."
        )
    delivered = f"{catalog}.intermediate.int_mentions__unioned"
    # Numbered in the order of their keys, by a sort of the keys alone: sorting whole rows costs more than all the rest.
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE mention_numbers AS
        SELECT mention_key, row_number() OVER (ORDER BY mention_key) AS mention FROM {delivered}
        """
    )
    total, distinct = _pair(connection, "SELECT count(*), count(DISTINCT mention_key) FROM mention_numbers")
    if total != distinct:
        raise MentionsUnusable(
            f"identity: intermediate.int_mentions__unioned names {total - distinct} mention keys more than once;"
            " a mention key names one role of one record."
        )
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE mentions AS
        SELECT
            * REPLACE (coalesce(is_withdrawn, false) AS is_withdrawn, nullif(name, '') AS name,
                       list_sort(list_distinct(coalesce(phones, []))) AS phones),
            CASE WHEN birth_date_precision = 'day' THEN birth_date END AS birth_day,
            CASE WHEN id_no IS NOT NULL
                 THEN try_cast(concat_ws('-', substr(id_no, 7, 4), substr(id_no, 11, 2), substr(id_no, 13, 2)) AS DATE)
                 END AS number_birth,
            CASE WHEN id_no IS NOT NULL
                 THEN CASE WHEN ascii(substr(id_no, 17, 1)) % 2 = 1 THEN 'male' ELSE 'female' END END AS number_sex
        FROM (SELECT {", ".join(NEEDED)}, mention FROM {delivered} JOIN mention_numbers USING (mention_key));
        DROP TABLE mention_numbers;
        """
    )
    return total


def _pair(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, int]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
