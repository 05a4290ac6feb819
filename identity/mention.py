"""Read the mentions of a run and collapse identical ones: a person assisted for a year is one node, not 36 rows."""

from __future__ import annotations

import duckdb

from identity.content_id import content_id

NEEDED = (
    "mention_key", "record_key", "source_table", "role", "is_withdrawn", "name", "id_no", "damaged_id_no",
    "other_document_no", "certificate_id_no", "birth_date", "birth_date_precision", "sex", "phones", "address",
    "hukou_district", "managing_district", "bank_account", "household_key", "said_on",
)  # fmt: skip

MENTIONS = "int_mentions__unioned"


class MentionsUnusable(RuntimeError):
    """The mentions of the work file cannot be linked; the message says why and what to mend."""


def read_mentions(connection: duckdb.DuckDBPyConnection, catalog: str) -> int:
    """Copy the mentions of ``catalog`` into table ``mentions`` and return how many there are.

    ``mention`` is a number made of the key, ``row_hash`` a hash of all that identity reads.
    Raises ``MentionsUnusable`` when the table is missing, lacks a column, or repeats a mention key.
    """
    found = {
        row[0]
        for row in connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_catalog = ?"
            " AND table_schema = 'intermediate' AND table_name = ?",
            [catalog, MENTIONS],
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
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE mentions AS
        SELECT
            {content_id("mention_key")} AS mention,
            * REPLACE (coalesce(is_withdrawn, false) AS is_withdrawn, nullif(name, '') AS name,
                       list_sort(list_distinct(coalesce(phones, []))) AS phones),
            CASE WHEN birth_date_precision = 'day' THEN birth_date END AS birth_day,
            CASE WHEN id_no IS NOT NULL
                 THEN try_cast(concat_ws('-', substr(id_no, 7, 4), substr(id_no, 11, 2), substr(id_no, 13, 2)) AS DATE)
                 END AS number_birth,
            CASE WHEN id_no IS NOT NULL
                 THEN CASE WHEN ascii(substr(id_no, 17, 1)) % 2 = 1 THEN 'male' ELSE 'female' END END AS number_sex
        FROM (SELECT {", ".join(NEEDED)}, {content_id(f"row({', '.join(NEEDED)})::VARCHAR")} AS row_hash
              FROM {catalog}.intermediate.{MENTIONS})
        """
    )
    total, distinct = _pair(connection, "SELECT count(*), count(DISTINCT mention) FROM mentions")
    if total != distinct:
        raise MentionsUnusable(
            f"identity: intermediate.int_mentions__unioned names {total - distinct} mention keys more than once; a"
            " mention key names one role of one record."
        )
    return total


def _pair(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, int]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
