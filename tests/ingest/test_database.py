"""One declaration lands from PostgreSQL and from MySQL/MariaDB; the landing equals the source after every history."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import pytest
from lending_library import CONTRACT, TABLE, check_conservation, fill
from owner_database import OwnerDatabase

from ingest.connection import Connection
from ingest.contract import read_contract
from ingest.database import SourceDatabase
from ingest.land import LandingResult, land
from warehouse.duck import connect
from warehouse.home import Home

Look = Callable[..., duckdb.DuckDBPyConnection]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources" / "library"
    folder.mkdir(parents=True)
    (folder / "contract.yml").write_text(CONTRACT, encoding="utf-8")
    return folder.parent


def rows(look: Look, sources: Path) -> list[tuple[object, ...]]:
    connection = look(sources)
    check_conservation(connection)
    query = "SELECT id, kind, day, fee, note FROM landing.library__loan ORDER BY id"
    return connection.execute(query).fetchall()


def counts(result: LandingResult) -> tuple[int, int, int, int, int]:
    assert result.error is None
    said = result.counts
    return (
        said["rows_read"],
        said["rows_accepted"],
        said["rows_quarantined"],
        said["rows_superseded"],
        said["rows_duplicate"],
    )


def test_values_arrive_exactly_and_a_second_landing_changes_nothing(
    owner_database: OwnerDatabase, home: Home, sources: Path, look: Look
) -> None:
    owner_database.execute(TABLE)
    fill(
        owner_database,
        "(1, 'loan', '1850-02-28', 12345678.90, -7, '䶮 㛃 𠅤 · \n''\"', '2025-01-01 00:00:00')",
        "(2, 'back', NULL, NULL, 1, '', '2025-01-02 00:00:00')",
    )
    assert counts(land("library", owner_database.uri, home, sources=sources)) == (2, 2, 0, 0, 0)
    landed = rows(look, sources)
    assert [tuple(map(str, row)) for row in landed] == [
        ("1", "loan", "1850-02-28", "12345678.90", "䶮 㛃 𠅤 · \n'\""),
        ("2", "back", "None", "None", ""),
    ]
    read, accepted, *_, duplicate = counts(land("library", owner_database.uri, home, sources=sources))
    assert accepted == 0
    assert read == duplicate
    assert rows(look, sources) == landed
    (first,) = look(sources).execute("SELECT epoch(changed_at) FROM landing.library__loan WHERE id = 1").fetchall()
    assert first[0] == 1735660800.0, "a local time of Shanghai"


def test_updates_deletions_and_restored_rows_follow_the_source(
    owner_database: OwnerDatabase, home: Home, sources: Path, look: Look
) -> None:
    owner_database.execute(TABLE)
    fill(owner_database, *(f"({n}, 'loan', NULL, {n}, 1, 'n{n}', '2025-01-01 00:00:00')" for n in range(1, 31)))
    land("library", owner_database.uri, home, sources=sources)
    owner_database.execute("UPDATE loan SET note = 'changed', changed_at = '2025-02-01 00:00:00' WHERE id = 3")
    owner_database.execute("DELETE FROM loan WHERE id = 5")
    result = land("library", owner_database.uri, home, sources=sources)
    assert result.counts["rows_accepted"] == 1
    assert result.receipts[0].notices == ("1 records were deleted",)
    landed = rows(look, sources)
    assert len(landed) == 29
    assert (3, "changed") in [(row[0], row[4]) for row in landed]
    assert 5 not in [row[0] for row in landed]
    # Restored with an old moment, outside of every overlap: its key gives it away.
    fill(owner_database, "(5, 'loan', NULL, 5, 1, 'n5', '2020-01-01 00:00:00')")
    assert land("library", owner_database.uri, home, sources=sources).counts["rows_accepted"] == 1
    assert len(rows(look, sources)) == 30


def test_a_late_commit_with_an_older_moment_is_not_lost(
    owner_database: OwnerDatabase, home: Home, sources: Path, look: Look
) -> None:
    owner_database.execute(TABLE)
    fill(owner_database, "(1, 'loan', NULL, 1, 1, 'a', '2025-01-05 12:00:00')")
    land("library", owner_database.uri, home, sources=sources)
    fill(owner_database, "(2, 'loan', NULL, 1, 1, 'late', '2025-01-05 11:45:00')")
    assert land("library", owner_database.uri, home, sources=sources).counts["rows_accepted"] == 1
    assert len(rows(look, sources)) == 2


def test_a_row_of_the_future_does_not_stop_the_feed(
    owner_database: OwnerDatabase, home: Home, sources: Path, look: Look
) -> None:
    owner_database.execute(TABLE)
    fill(owner_database, "(1, 'loan', NULL, 1, 1, 'a', '2037-12-31 00:00:00')")
    land("library", owner_database.uri, home, sources=sources)
    owner_database.execute("INSERT INTO loan VALUES (2, 'loan', NULL, 1, 1, 'now', CURRENT_TIMESTAMP)")
    assert land("library", owner_database.uri, home, sources=sources).counts["rows_accepted"] == 1
    assert len(rows(look, sources)) == 2


def test_a_bad_row_waits_in_quarantine_until_it_is_mended(
    owner_database: OwnerDatabase, home: Home, sources: Path, look: Look
) -> None:
    owner_database.execute(TABLE)
    fill(
        owner_database,
        "(1, 'loan', NULL, 1, 1, 'a', '2025-01-05 12:00:00')",
        "(2, 'theft', NULL, 1, 1, 'b', '2025-01-05 12:00:00')",
    )
    assert counts(land("library", owner_database.uri, home, sources=sources)) == (2, 1, 1, 0, 0)
    assert counts(land("library", owner_database.uri, home, sources=sources)) == (2, 0, 0, 0, 2)
    connection = look(sources)
    check_conservation(connection)
    assert connection.execute(
        "SELECT reason_code, message, position, row_json ->> 'kind', owner FROM landing.quarantine"
    ).fetchall() == [
        ("unknown_code", "kind is a word that the contract does not know", "loan 2", "theft", "The library")
    ]
    owner_database.execute("UPDATE loan SET kind = 'back', changed_at = '2025-01-06 12:00:00' WHERE id = 2")
    assert land("library", owner_database.uri, home, sources=sources).counts["rows_accepted"] == 1
    assert [row[1] for row in rows(look, sources)] == ["loan", "back"]
    assert look(sources).execute("SELECT count(*) FROM landing.quarantine").fetchone() == (0,)


def test_a_record_that_goes_wrong_keeps_its_last_good_state_and_comes_back(
    owner_database: OwnerDatabase, home: Home, sources: Path, look: Look
) -> None:
    owner_database.execute(TABLE)
    fill(owner_database, "(1, 'loan', NULL, 1, 1, 'a', '2025-01-05 12:00:00')")
    for kind, waiting in (("loan", 0), ("theft", 1), ("loan", 0)):
        owner_database.execute(f"UPDATE loan SET kind = '{kind}'")
        land("library", owner_database.uri, home, sources=sources)
        assert [row[1] for row in rows(look, sources)] == ["loan"]
        assert look(sources).execute("SELECT count(*) FROM landing.quarantine").fetchone() == (waiting,)


def test_a_mended_contract_judges_everything_anew(
    owner_database: OwnerDatabase, home: Home, sources: Path, look: Look
) -> None:
    owner_database.execute(TABLE)
    fill(
        owner_database,
        "(1, 'loan', NULL, 1, 1, 'a', '2020-01-05 12:00:00')",
        "(2, 'lent', NULL, 1, 1, 'b', '2020-01-05 12:00:00')",
        "(3, 'loan', NULL, 1, 1, 'c', '2025-01-05 12:00:00')",
    )
    assert counts(land("library", owner_database.uri, home, sources=sources)) == (3, 2, 1, 0, 0)
    file = sources / "library" / "contract.yml"
    file.write_text(file.read_text().replace("loan: [loan]", "loan: [loan, lent]"))
    assert counts(land("library", owner_database.uri, home, sources=sources)) == (3, 3, 0, 0, 0)
    assert len(rows(look, sources)) == 3


def test_too_many_vanished_records_refuse_the_delivery_with_both_numbers(
    owner_database: OwnerDatabase, home: Home, sources: Path, look: Look
) -> None:
    owner_database.execute(TABLE)
    fill(owner_database, *(f"({n}, 'loan', NULL, {n}, 1, 'n', '2025-01-01 00:00:00')" for n in range(1, 101)))
    land("library", owner_database.uri, home, sources=sources)
    owner_database.execute("DELETE FROM loan WHERE id > 50")
    error = land("library", owner_database.uri, home, sources=sources).error
    assert error is not None
    assert "50 of 100 records of loan vanished" in error
    assert len(rows(look, sources)) == 100
    assert look(sources).execute("SELECT state FROM landing.deliveries ORDER BY load_id").fetchall() == [
        ("accepted",),
        ("refused",),
    ]


def test_an_added_column_is_reported_and_not_used(owner_database: OwnerDatabase, home: Home, sources: Path) -> None:
    owner_database.execute(TABLE)
    owner_database.execute("ALTER TABLE loan ADD COLUMN colour varchar(9)")
    fill(owner_database, "(1, 'loan', NULL, 1, 1, 'a', '2025-01-05 12:00:00', 'red')")
    result = land("library", owner_database.uri, home, sources=sources)
    assert result.error is None
    assert result.receipts[0].notices == ("column colour is new and not used",)


def test_a_missing_column_refuses_the_delivery_and_suggests_the_new_name(
    owner_database: OwnerDatabase, home: Home, sources: Path, look: Look
) -> None:
    owner_database.execute(TABLE.replace("note varchar", "notes varchar"))
    error = land("library", owner_database.uri, home, sources=sources).error
    assert error is not None
    assert error.startswith("library: table loan has no column note; is it notes now?")
    assert look(sources).execute("SELECT state, rows_read FROM landing.deliveries").fetchall() == [("refused", 0)]


def one_sentence(error: str | None, *words: str) -> None:
    assert error is not None
    assert error.startswith("library: ")
    assert error.endswith(".")
    assert "\n" not in error
    assert "secret-word" not in error
    for word in words:
        assert word in error


def test_a_missing_table_is_named(owner_database: OwnerDatabase, home: Home, sources: Path) -> None:
    owner_database.execute(TABLE.replace("TABLE loan", "TABLE loans"))
    error = land("library", owner_database.uri, home, sources=sources).error
    one_sentence(error, "no table loan", "is it loans now?")


def test_a_server_that_is_down_is_named(owner_database: OwnerDatabase, home: Home, sources: Path) -> None:
    uri = f"{owner_database.kind}://reader:secret-word@127.0.0.1:1/office"
    one_sentence(land("library", uri, home, sources=sources).error, "127.0.0.1:1 does not answer", "start it")


def test_a_wrong_password_is_named(owner_database: OwnerDatabase, home: Home, sources: Path) -> None:
    address = urlsplit(owner_database.uri)
    uri = f"{owner_database.kind}://nobody:secret-word@{address.hostname}:{address.port}{address.path}"
    error = land("library", uri, home, sources=sources).error
    one_sentence(error, "does not let nobody in", "check user and password in AIRFLOW_CONN_LIBRARY")


def test_a_missing_database_is_named(owner_database: OwnerDatabase, home: Home, sources: Path) -> None:
    error = land("library", owner_database.uri.rpartition("/")[0] + "/nowhere", home, sources=sources).error
    one_sentence(error, "has no database nowhere")


def test_an_unknown_host_is_named(owner_database: OwnerDatabase, home: Home, sources: Path) -> None:
    uri = f"{owner_database.kind}://reader:secret-word@no-such-host.invalid/office"
    one_sentence(land("library", uri, home, sources=sources).error, "no-such-host.invalid is unknown")


def test_a_connection_of_another_kind_is_named(home: Home, sources: Path) -> None:
    one_sentence(land("library", "file:///srv/library", home, sources=sources).error, "needs postgresql://")


def test_a_number_that_is_none_and_a_number_without_precision_keep_their_meaning(
    registry_office: OwnerDatabase, home: Home, sources: Path, look: Look
) -> None:
    registry_office.execute(TABLE.replace("numeric(12,2)", "numeric"))
    fill(
        registry_office,
        "(1, 'loan', NULL, 1234567890.12, 1, 'a', '2025-01-01')",
        "(2, 'loan', NULL, 'NaN', 1, 'a', '2025-01-01')",
        "(3, 'loan', 'infinity', 1, 1, 'a', '2025-01-01')",
    )
    assert counts(land("library", registry_office.uri, home, sources=sources)) == (3, 1, 2, 0, 0)
    assert rows(look, sources)[0][3] == Decimal("1234567890.12")


def test_the_schema_on_the_search_path_is_read_and_an_ambiguous_one_is_refused(
    registry_office: OwnerDatabase, home: Home, sources: Path, look: Look
) -> None:
    registry_office.execute(f"CREATE SCHEMA old; {TABLE.replace('TABLE loan', 'TABLE old.loan')}; {TABLE}")
    fill(registry_office, "(1, 'loan', NULL, 1, 1, 'public', '2025-01-01')")
    assert land("library", registry_office.uri, home, sources=sources).error is None
    assert [row[4] for row in rows(look, sources)] == ["public"]
    registry_office.execute("CREATE SCHEMA newer; ALTER TABLE loan SET SCHEMA newer")
    one_sentence(land("library", registry_office.uri, home, sources=sources).error, "schemas newer, old")


def test_all_tables_are_read_as_of_one_moment(owner_database: OwnerDatabase, tmp_path: Path) -> None:
    """What the owner commits while we read is not seen by the later tables."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "contract.yml").write_text(CONTRACT, encoding="utf-8")
    owner_database.execute(TABLE)
    fill(owner_database, "(1, 'loan', NULL, 1, 1, 'a', '2025-01-05 12:00:00')")
    with connect(extensions=("icu",)) as duck:
        database = SourceDatabase(duck, read_contract(folder), Connection.from_uri("library", owner_database.uri))
        database.attach()
        (table,) = database.find_tables()
        duck.execute("BEGIN TRANSACTION")
        assert len(duck.execute(database.select(table, None)).fetchall()) == 1
        fill(owner_database, "(2, 'loan', NULL, 1, 1, 'b', '2025-01-05 12:00:00')")
        assert len(duck.execute(database.select(table, None)).fetchall()) == 1
        with database.counting(table) as count:
            assert (count(), database.count(table)) == (1, 1)
        duck.execute("COMMIT")
        duck.execute("BEGIN TRANSACTION")
        with database.counting(table) as count:
            assert count() == 2
        duck.execute("COMMIT")


def test_a_server_that_lets_us_in_only_once_is_counted_all_the_same(
    registry_office: OwnerDatabase, home: Home, sources: Path, look: Look
) -> None:
    registry_office.execute(TABLE)
    registry_office.execute(
        "DROP ROLE IF EXISTS lone_reader; CREATE ROLE lone_reader LOGIN PASSWORD 'invented' CONNECTION LIMIT 1;"
        " GRANT SELECT ON loan TO lone_reader"
    )
    fill(
        registry_office,
        "(1, 'loan', NULL, 1, 1, 'a', '2025-01-05 12:00:00')",
        "(2, 'loan', NULL, 1, 1, 'b', '2025-01-05 12:00:00')",
    )
    address = urlsplit(registry_office.uri)
    uri = f"postgresql://lone_reader:invented@{address.hostname}:{address.port}{address.path}"
    assert counts(land("library", uri, home, sources=sources))[:2] == (2, 2)
    registry_office.execute("DELETE FROM loan WHERE id = 2")
    assert land("library", uri, home, sources=sources).error is None
    assert [row[0] for row in rows(look, sources)] == [1]
    registry_office.execute("DROP OWNED BY lone_reader; DROP ROLE lone_reader")


def test_types_are_those_of_the_standard_and_a_column_we_may_not_read_is_not_there(
    registry_office: OwnerDatabase, tmp_path: Path
) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "contract.yml").write_text(CONTRACT, encoding="utf-8")
    registry_office.execute(TABLE)
    registry_office.execute(
        "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN cents AS numeric(9, 2);"
        " CREATE DOMAIN moods AS mood[]; CREATE DOMAIN rarely AS cents;"
        " ALTER TABLE loan ADD tags text[], ADD felt mood, ADD cost cents, ADD feelings moods, ADD seldom rarely,"
        " ADD taken timestamptz(3), ADD gone int, ADD code char(4); ALTER TABLE loan DROP gone;"
    )

    def found(uri: str) -> tuple[dict[str, str], dict[str, str]]:
        """What we find, and what the standard's view says."""
        with connect(extensions=("icu",)) as duck:
            database = SourceDatabase(duck, read_contract(folder), Connection.from_uri("library", uri))
            database.attach()
            (table,) = database.find_tables()
            standard = duck.execute(
                "SELECT * FROM postgres_query('owner_database', 'SELECT column_name::text, data_type::text"
                " FROM information_schema.columns WHERE table_name = ''loan''')"
            ).fetchall()
        return dict(table.types), dict(standard)

    ours, standard = found(registry_office.uri)
    assert ours == standard
    assert {"ARRAY", "USER-DEFINED", "numeric", "character"} <= set(ours.values())
    added = {"tags", "felt", "cost", "feelings", "seldom", "taken", "code"}
    readable = sorted(set(ours) - added | {"tags"})
    registry_office.execute(
        "DROP ROLE IF EXISTS half_reader; CREATE ROLE half_reader LOGIN PASSWORD 'invented';"
        f" GRANT SELECT ({', '.join(readable)}) ON loan TO half_reader"
    )
    address = urlsplit(registry_office.uri)
    half, _ = found(f"postgresql://half_reader:invented@{address.hostname}:{address.port}{address.path}")
    registry_office.execute("DROP OWNED BY half_reader; DROP ROLE half_reader")
    assert sorted(half) == readable
