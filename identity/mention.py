"""Read the mentions of a run and collapse identical ones: a person assisted for a year is one node, not 36 rows."""

from __future__ import annotations

import duckdb

from identity.content_id import anchor_id, content_id
from warehouse.digest import digest, if_long, text_digest

NEEDED = (
    "mention_key", "record_key", "source_table", "role", "is_withdrawn", "name", "id_no", "damaged_id_no",
    "other_document_no", "certificate_id_no", "birth_date", "birth_date_precision", "sex", "phones", "address",
    "hukou_district", "managing_district", "bank_account", "household_key", "said_on",
)  # fmt: skip

MENTIONS = "int_mentions__unioned"

# What is most often a text of at most twelve bytes, which the engine's own digest tells from every other: the second
# digest is spent on those that are longer.
MOSTLY_SHORT = {
    "name": if_long("name"),
    "phones": "CASE WHEN len(phones) > 1 OR strlen(phones[1]) > 12 THEN array_to_string(phones, ' ') END",
}


class MentionsUnusable(RuntimeError):
    """The mentions of the work file cannot be linked; the message says why and what to mend."""


def read_mentions(connection: duckdb.DuckDBPyConnection, catalog: str) -> int:
    """Copy the mentions of ``catalog`` into table ``mentions`` and return how many there are.

    Raises ``MentionsUnusable`` when the table is missing, lacks a column, or repeats a mention key.
    """
    connection.execute(f"CREATE OR REPLACE TABLE mentions AS {mention_rows(delivered_rows(connection, catalog))}")
    total, distinct = connection.execute("SELECT count(*), count(DISTINCT mention) FROM mentions").fetchall()[0]
    if total != distinct:
        raise repeated(total - distinct)
    return int(total)


def repeated(times: int) -> MentionsUnusable:
    """What to raise when so many mention keys are not the first of their name."""
    return MentionsUnusable(
        f"identity: intermediate.{MENTIONS} names {times} mention keys more than once; a mention key names one role of"
        " one record."
    )


def delivered_rows(connection: duckdb.DuckDBPyConnection, catalog: str, among: str = "") -> str:
    """SQL: the mentions of ``catalog`` as staging hands them over, and ``row_hash``, a digest of all that is read.

    ``among`` narrows them before anything is digested. Raises ``MentionsUnusable`` when the table is missing or lacks a
    column.
    """
    relation = f"{catalog}.intermediate.{MENTIONS}"
    try:
        kinds = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {relation}").fetchall()}
    except duckdb.CatalogException:
        raise MentionsUnusable(
            f"identity: the work file has no intermediate.{MENTIONS}; build staging first."
        ) from None
    if missing := [column for column in NEEDED if column not in kinds]:
        raise MentionsUnusable(
            f"identity: intermediate.{MENTIONS} lacks {', '.join(missing)}; build it from shape mentions."
        )
    texts = [MOSTLY_SHORT.get(column, column) for column in NEEDED if kinds[column] == "VARCHAR"]
    row_hash = digest(NEEDED, [*texts, MOSTLY_SHORT["phones"]])
    return f"SELECT {', '.join(NEEDED)}, {row_hash} AS row_hash FROM {relation} {among}"


def mention_rows(delivered: str) -> str:
    """SQL: rows of table ``mentions`` from those of query ``delivered``.

    ``mention`` is a number made of the key, ``anchor`` the node that owns the sound number, ``name_number`` a digest of
    the name, ``record`` and ``household`` are numbers of the companies that the mention stands in, ``file`` that of one
    month's file of its household, if it is a member.
    """
    household = company_id("h", "household_key")
    return f"""
        SELECT
            {content_id("mention_key")} AS mention,
            * REPLACE (coalesce(is_withdrawn, false) AS is_withdrawn, nullif(name, '') AS name,
                       CASE WHEN len(phones) > 1 THEN list_sort(list_distinct(phones)) ELSE coalesce(phones, []) END
                       AS phones),
            {anchor_id("id_no")} AS anchor,
            CASE WHEN nullif(name, '') IS NOT NULL THEN {text_digest("name")} END AS name_number,
            {company_id("r", "record_key")} AS record, {household} AS household,
            CASE WHEN role = 'member' AND household_key IS NOT NULL AND said_on IS NOT NULL
                      AND NOT coalesce(is_withdrawn, false)
                 THEN hash({household}, source_table, said_on) END AS file,
            CASE WHEN birth_date_precision = 'day' THEN birth_date END AS birth_day,
            try_strptime(substr(id_no, 7, 8), '%Y%m%d')::DATE AS number_birth,
            CASE WHEN id_no IS NOT NULL
                 THEN CASE WHEN ascii(substr(id_no, 17, 1)) % 2 = 1 THEN 'male' ELSE 'female' END END AS number_sex
        FROM ({delivered})
    """


def company_id(letter: str, key: str) -> str:
    """SQL: the number of a record or a household as a company of people; null without one."""
    number = digest([f"'{letter}'", key], [key])
    return f"CASE WHEN {key} IS NOT NULL THEN {number} END"
