"""Which input rows of golden differ from those of the run before, as temporary tables of an open work file.

For every shape of staging and for identity's tables ``changed_<name>`` holds the rows that only one of the runs has
(``is_new`` tells which), of the columns that ``closure`` reads; ``new_<name>`` are this run's rows, ``old_<name>`` the
former ones, and ``either_<name>`` the rows of both. Rows are compared as a multiset by a digest of every column. The
digests and the sums of their buckets stay in the work file, so that the next run computes none of yesterday's.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from warehouse.digest import digest_of_types

# What is read of a changed row.
SHAPES = {
    "mentions": "mention_key, source_system, source_table, source_record_id, role, name",
    "events": "mention_key, partner_mention_key",
    "payments": "*",
    "payment_files": "delivery_id",
    "household_months": "household_key, mention_key",
    "household_members": "household_key, mention_key, source_system, source_table, source_record_id",
    "bed_stays": "mention_key, institution_id, source_system, source_table, source_record_id",
    "care_visits": "mention_key, source_system, source_table, source_record_id",
    "care_registrations": "mention_key",
    "institutions": "institution_id",
    "relations": "mention_key, related_mention_key",
    "declarations": "mention_key, attribute, said_on",
}
IDENTITY = {"mention_links": "mention_key, citizen_id", "citizens": "citizen_id, id_no"}
INPUTS = SHAPES | IDENTITY
# Many more than a day has changes in most tables, and so few that their sums stay in the processor's caches.
_BUCKET = f"row_digest % {2**16}"


class BuildWhole(RuntimeError):
    """The city is better built whole, or has to be; the message says why."""


def find_changes(connection: duckdb.DuckDBPyConnection, shadow_sources: Iterable[str] = ()) -> dict[str, int]:
    """Compare every input with that of the database ``base``; how many rows of each differ. Raises ``BuildWhole``."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS work.day")
    return {name: _find_changes_of(connection, name, frozenset(shadow_sources)) for name in INPUTS}


def keep_digests(connection: duckdb.DuckDBPyConnection, shadow_sources: Iterable[str] = ()) -> None:
    """Write the digests of every input, for the day after a city was built whole. Raises ``BuildWhole``."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS work.day")
    for name in INPUTS:
        columns = _columns_of(connection, name)
        for table in sorted(_tables_of(connection, "work", name, frozenset(shadow_sources))):
            _digest(connection, f"work.day.{_kept(table)}", f"work.{table}", _digest_of(columns))


def _find_changes_of(connection: duckdb.DuckDBPyConnection, name: str, shadow: frozenset[str]) -> int:
    now, columns = _relation_of(name), _columns_of(connection, name)
    tables = {database: _tables_of(connection, database, name, shadow) for database in ("work", "base")}
    read = ", ".join(f'CAST("{column}" AS {kind}) AS "{column}"' for column, kind in columns.items())
    before = " UNION ALL ".join(f"SELECT {read} FROM base.{table}" for table in tables["base"])
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW new_{name} AS SELECT {INPUTS[name] if name in IDENTITY else "*"} FROM {now};
        CREATE OR REPLACE TEMP VIEW old_{name} AS SELECT {INPUTS[name]} FROM ({before or f"FROM {now} LIMIT 0"});
        CREATE OR REPLACE TEMP TABLE changed_{name} AS SELECT {INPUTS[name]}, true AS is_new FROM {now} LIMIT 0
        """
    )
    for table in sorted({*tables["work"], *tables["base"]}):
        _compare(connection, name, table, columns, {d for d in tables if table in tables[d]})
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW either_{name} AS SELECT {INPUTS[name]} FROM new_{name}"
        f" UNION ALL SELECT * EXCLUDE (is_new) FROM changed_{name} WHERE NOT is_new"
    )
    return int(connection.execute(f"SELECT count(*) FROM changed_{name}").fetchall()[0][0])


def _relation_of(name: str) -> str:
    return f"work.identity.{name}" if name in IDENTITY else f"work.intermediate.int_{name}__unioned"


def _columns_of(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {_relation_of(name)}").fetchall()}


def _digest_of(columns: dict[str, str]) -> str:
    return digest_of_types([(f'CAST(t."{column}" AS {kind})', kind) for column, kind in columns.items()])


def _kept(table: str) -> str:
    """The name under which the digests of a table are kept."""
    return "digest_" + table.replace(".", "_").replace('"', "")


def _tables_of(
    connection: duckdb.DuckDBPyConnection, database: str, name: str, shadow: frozenset[str]
) -> frozenset[str]:
    """The tables (schema.name) that hold an input. Raises ``BuildWhole`` for a view: its rows have no places."""
    if name in IDENTITY:
        return frozenset({f"identity.{name}"})
    rows = connection.execute(
        "SELECT table_name, table_type FROM information_schema.tables"
        " WHERE table_catalog = ? AND table_schema = 'staging'",
        [database],
    ).fetchall()
    of_the_shape = {
        relation: kind
        for relation, kind in rows
        if relation.startswith("stg_")
        and relation.removeprefix("stg_").split("__")[1:] == [name]
        and relation.removeprefix("stg_").split("__")[0] not in shadow
    }
    if any(kind != "BASE TABLE" for kind in of_the_shape.values()):
        raise BuildWhole(f"a staging model of {name} is no table")
    return frozenset(f'staging."{relation}"' for relation in of_the_shape)


def _compare(
    connection: duckdb.DuckDBPyConnection, name: str, table: str, columns: dict[str, str], present: set[str]
) -> None:
    """Add to ``changed_<name>`` what differs in one table of the input; ``present`` names the runs that have it."""
    digest, kept = _digest_of(columns), _kept(table)
    digested = {"work": f"work.day.{kept}", "base": f"base.day.{kept}"}
    if "work" in present:
        _digest(connection, digested["work"], f"work.{table}", digest)
    if "base" in present and not _has_digests(connection, kept, table):
        digested["base"] = "digests_before"
        _digest(connection, digested["base"], f"base.{table}", digest, kind="TEMP TABLE")
    _find_differing(connection, [digested[database] for database in sorted(present)])
    for database in present:
        _take_changed(connection, name, f"{database}.{table}", digested[database], digest)


def _find_differing(connection: duckdb.DuckDBPyConnection, sides: list[str]) -> None:
    """Create ``differing``: digests that do not stand as often on both sides.

    They fall into buckets, and only where a bucket's count or sum tells the sides apart are its digests counted one by
    one. What is summed are digests of digests, without overflow: that a bucket of other digests has the same sum is as
    unlikely (one in 2**63) as that a changed row keeps its digest (one in 2**64), which is what all of this rests on.
    """
    sums = " UNION ALL ".join(
        f"SELECT bucket, {sign} * n AS n, {sign} * total AS total FROM {side}_summed"
        for side, sign in zip(sides, (1, -1), strict=False)
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE differing_buckets AS"
        f" SELECT bucket FROM ({sums}) GROUP BY bucket HAVING sum(n) <> 0 OR sum(total) <> 0"
    )
    digests = " UNION ALL ".join(
        f"SELECT row_digest, {sign} AS side FROM {side} WHERE {_BUCKET} IN (FROM differing_buckets)"
        for side, sign in zip(sides, (1, -1), strict=False)
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE differing AS"
        f" SELECT row_digest FROM ({digests}) GROUP BY row_digest HAVING sum(side) <> 0"
    )


def _digest(
    connection: duckdb.DuckDBPyConnection, digests: str, relation: str, digest: str, kind: str = "TABLE"
) -> None:
    """Write the digests of a relation's rows with their places, and in ``<digests>_summed`` what their buckets hold."""
    connection.execute(
        f"""
        CREATE OR REPLACE {kind} {digests} AS SELECT {digest} AS row_digest, rowid AS place FROM {relation} AS t;
        CREATE OR REPLACE {kind} {digests}_summed AS
        SELECT {_BUCKET} AS bucket, count(*) AS n, sum(CAST(hash(row_digest) >> 1 AS BIGINT)) AS total
        FROM {digests} GROUP BY bucket
        """
    )


def _has_digests(connection: duckdb.DuckDBPyConnection, kept: str, table: str) -> bool:
    there = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'base' AND schema_name = 'day'"
        " AND table_name IN ($1, $1 || '_summed')",
        [kept],
    ).fetchall()[0][0]
    if there < 2:
        return False
    counts = connection.execute(
        f"SELECT (SELECT count(*) FROM base.day.{kept}), (SELECT coalesce(sum(n), 0) FROM base.day.{kept}_summed),"
        f" (SELECT count(*) FROM base.{table})"
    ).fetchall()[0]
    return len(set(counts)) == 1


def _take_changed(connection: duckdb.DuckDBPyConnection, name: str, relation: str, digested: str, digest: str) -> None:
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE places AS SELECT place FROM {digested} SEMI JOIN differing USING (row_digest)"
    )
    wanted = connection.execute("SELECT count(*) FROM places").fetchall()[0][0]
    if not wanted:
        return
    read = f"SELECT {INPUTS[name]}, {str(relation.startswith('work.')).lower()} AS is_new FROM {relation} AS t"
    for place in ("rowid IN (FROM places)", "true"):
        # Places move when a table is tidied up; its rows are then looked for among all.
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE taken AS {read} WHERE {place} AND {digest} IN (FROM differing)"
        )
        if connection.execute("SELECT count(*) FROM taken").fetchall()[0][0] == wanted:
            connection.execute(f"INSERT INTO changed_{name} FROM taken")
            return
    raise BuildWhole(f"the digests of {name} are of another state of the work file")
