"""What differs between the inputs of two runs: as a multiset, among many rows, with and without kept digests."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from rongtong.day.changes import INPUTS, SHAPES, find_changes

# Several to a bucket, and one in three of them twice.
ROWS = 100_000
MENTIONS = "work.staging.stg_city__mentions"
DAYS = {
    "nothing": "SELECT 1",
    "another order": f"CREATE OR REPLACE TABLE {MENTIONS} AS FROM {MENTIONS} ORDER BY hash(mention_key, 1)",
    "one of two alike goes":
        f"DELETE FROM {MENTIONS} WHERE rowid = (SELECT min(rowid) FROM {MENTIONS} WHERE {{twice}})",
    "a third comes": f"INSERT INTO {MENTIONS} FROM {MENTIONS} WHERE {{twice}} LIMIT 1",
    "all alike go": f"DELETE FROM {MENTIONS} WHERE {{twice}}",
    "as many go as come": f"UPDATE {MENTIONS} SET name = name || '新' WHERE hash(mention_key, 2) % 5000 = 0",
    "a source goes": "DROP TABLE work.staging.stg_other__mentions",
    "a source comes":
        "CREATE TABLE work.staging.stg_other__mentions AS"
        f" SELECT * REPLACE ('other' AS source_system) FROM {MENTIONS} LIMIT 9",
    "half is rewritten": f"UPDATE {MENTIONS} SET role = 'other' WHERE hash(mention_key, 3) % 2 = 0",
}  # fmt: skip
UNCHANGED = ("nothing", "another order")
WITHOUT_DIGESTS = ("one of two alike goes", "as many go as come")
TWICE = "mention_key = 'mention 3000'"


@pytest.fixture
def city() -> Iterator[duckdb.DuckDBPyConnection]:
    """Two runs with the same inputs; all are empty but mentions."""
    with duckdb.connect() as connection:
        for database in ("work", "base", "copy"):
            connection.execute(f"ATTACH ':memory:' AS {database}")
            for schema in ("staging", "intermediate", "identity", "day"):
                connection.execute(f"CREATE SCHEMA {database}.{schema}")
        for name, read in INPUTS.items():
            columns = "mention_key, amount_yuan" if read == "*" else read
            table = f"staging.stg_city__{name}" if name in SHAPES else f"identity.{name}"
            connection.execute(f"CREATE TABLE work.{table} ({columns.replace(',', ' VARCHAR,')} VARCHAR)")
            if name in SHAPES:
                connection.execute(f"CREATE VIEW work.intermediate.int_{name}__unioned AS FROM work.{table}")
        connection.execute(
            f"INSERT INTO {MENTIONS} SELECT 'mention ' || n // (1 + (n % 3 = 0)::INTEGER), 'city', 'people', n // 2,"
            f" 'elder', '王' || n % 97 FROM range({ROWS}) AS r(n)"
        )
        connection.execute(f"INSERT INTO {MENTIONS} FROM {MENTIONS} WHERE {TWICE}")
        connection.execute(
            "CREATE TABLE work.staging.stg_other__mentions AS"
            f" SELECT * REPLACE ('other' AS source_system) FROM {MENTIONS} LIMIT 7"
        )
        unite(connection)
        yield connection


def unite(city: duckdb.DuckDBPyConnection) -> None:
    """Mentions, of the sources that there are."""
    tables = city.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'work' AND table_name LIKE 'stg_%__mentions'"
    ).fetchall()
    rows = " UNION ALL ".join(f"FROM work.staging.{table}" for (table,) in tables)
    city.execute(f"CREATE OR REPLACE VIEW work.intermediate.int_mentions__unioned AS {rows}")


def carry(city: duckdb.DuckDBPyConnection) -> None:
    """What is in ``work`` becomes what the run before had."""
    for schema in ("staging", "identity", "day"):
        city.execute(f"DROP SCHEMA base.{schema} CASCADE; CREATE SCHEMA base.{schema}")
        tables = city.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'work' AND schema_name = ?", [schema]
        ).fetchall()
        for (table,) in tables:
            city.execute(f"CREATE TABLE base.{schema}.{table} AS FROM work.{schema}.{table}")


def wrong_rows(city: duckdb.DuckDBPyConnection) -> int:
    """Rows of ``changed_mentions`` that should not stand there as often as they do, and the other way round."""
    before, now = "FROM old_mentions", f"SELECT {SHAPES['mentions']} FROM new_mentions"
    city.execute(
        "CREATE OR REPLACE TEMP TABLE unlike AS SELECT DISTINCT * FROM"
        f" (({now} EXCEPT ALL {before}) UNION ALL ({before} EXCEPT ALL {now}))"
    )
    expected = " UNION ALL ".join(
        f"SELECT *, {is_new} FROM ({rows}) SEMI JOIN unlike USING ({SHAPES['mentions']})"
        for rows, is_new in ((now, True), (before, False))
    )
    rows = city.execute(
        f"SELECT count(*) FROM ((FROM changed_mentions EXCEPT ALL ({expected}))"
        f" UNION ALL (({expected}) EXCEPT ALL FROM changed_mentions))"
    ).fetchall()
    return int(rows[0][0])


def test_changed_rows_are_those_that_do_not_stand_as_often_in_both_runs(city: duckdb.DuckDBPyConnection) -> None:
    carry(city)
    find_changes(city)
    for what, statement in DAYS.items():
        carry(city)
        city.execute(statement.format(twice=TWICE))
        unite(city)
        told = find_changes(city)
        assert wrong_rows(city) == 0, what
        assert (told["mentions"] == 0) == (what in UNCHANGED), what
        if what in WITHOUT_DIGESTS:
            city.execute("DROP SCHEMA base.day CASCADE; CREATE SCHEMA base.day")
            assert find_changes(city) == told, what
            assert wrong_rows(city) == 0, what
