"""What a watermark never shows is found all the same; what shrank, swelled or changed its type is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from lending_library import CONTRACT, TABLE, check_conservation, fill
from owner_database import OwnerDatabase

from ingest.contract import read_contract
from ingest.drift import family_of
from ingest.floors import SMALLEST_COMPARED, check_floor
from ingest.land import LandingResult, land
from warehouse.home import Home

Look = Callable[..., duckdb.DuckDBPyConnection]
START = datetime(2025, 3, 1, 1, 0, tzinfo=UTC)
OLD = "'2025-01-01 00:00:00'"


class Office:
    """The library's database and our landing of it, on any day."""

    def __init__(self, database: OwnerDatabase, home: Home, sources: Path, look: Look) -> None:
        self.database, self.home, self.sources, self._look = database, home, sources, look
        database.execute(TABLE)

    def land(self, day: float = 0, *, reconcile: bool = False) -> LandingResult:
        return land(
            "library",
            self.database.uri,
            self.home,
            sources=self.sources,
            reconcile=reconcile,
            clock=lambda: START + timedelta(days=day),
        )

    def fill(self, numbers: range, note: str = "n", moment: str = OLD) -> None:
        fill(self.database, *(f"({n}, 'loan', NULL, {n}, 1, '{note}', {moment})" for n in numbers))

    def change(self, old: str, new: str) -> None:
        file = self.sources / "library" / "contract.yml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    def ask(self, query: str) -> list[tuple[object, ...]]:
        connection = self._look(self.sources)
        check_conservation(connection)
        return connection.execute(query).fetchall()

    def notes(self) -> dict[object, object]:
        return dict(self.ask("SELECT id, note FROM landing.library__loan"))


@pytest.fixture
def office(owner_database: OwnerDatabase, home: Home, tmp_path: Path, look: Look) -> Office:
    return make_office(owner_database, home, tmp_path, look)


@pytest.fixture
def postgres_office(registry_office: OwnerDatabase, home: Home, tmp_path: Path, look: Look) -> Office:
    return make_office(registry_office, home, tmp_path, look)


def make_office(database: OwnerDatabase, home: Home, tmp_path: Path, look: Look) -> Office:
    folder = tmp_path / "sources" / "library"
    folder.mkdir(parents=True)
    (folder / "contract.yml").write_text(CONTRACT, encoding="utf-8")
    return Office(database, home, folder.parent, look)


# What a watermark never shows -----------------------------------------------------------------------------------------


def test_a_day_whose_rows_add_up_compares_no_keys(office: Office) -> None:
    office.fill(range(1, 31))
    office.land()
    office.fill(range(31, 36), moment="'2025-02-27 00:00:00'")
    (receipt,) = office.land(1).receipts
    assert (receipt.rows_accepted, receipt.keys_compared, receipt.is_whole) == (5, False, False)
    assert (receipt.source_rows, receipt.records_held) == (35, 35)


def test_a_vanished_row_changes_the_number_of_rows_and_is_noticed_the_same_day(office: Office) -> None:
    office.fill(range(1, 31))
    office.land()
    office.database.execute("DELETE FROM loan WHERE id = 7")
    (receipt,) = office.land(1).receipts
    assert receipt.keys_compared
    assert receipt.notices == ("1 records were deleted",)
    assert 7 not in office.notes()
    tombstones = office.home.landing / "library" / receipt.deleted_files[0]
    said = duckdb.sql(f"SELECT _record_key, CAST(timezone('UTC', _deleted_at) AS DATE) FROM '{tombstones}'").fetchall()
    assert [(key, str(day)) for key, day in said] == [("7", "2025-03-02")], "the day it was noticed"


def test_a_swap_that_hides_in_the_number_of_rows_is_found_when_keys_are_due(office: Office) -> None:
    """One row deleted and one committed with an old moment: the number is the same, the keys are not."""
    office.fill(range(1, 31))
    office.fill(range(100, 101), moment="'2025-02-27 00:00:00'")
    office.land()
    office.database.execute("DELETE FROM loan WHERE id = 7")
    office.fill(range(31, 32), note="very late")
    for day in range(1, 7):
        assert not office.land(day).receipts[0].keys_compared
    assert 7 in office.notes()
    (receipt,) = office.land(7).receipts
    assert receipt.keys_compared
    assert set(office.notes()) == {*range(1, 32), 100} - {7}
    assert not office.land(8).receipts[0].keys_compared


def test_a_row_changed_without_moving_its_moment_is_repaired_when_everything_is_read(office: Office) -> None:
    office.fill(range(1, 31))
    office.fill(range(100, 101), moment="'2025-02-27 00:00:00'")
    office.land()
    office.database.execute("UPDATE loan SET note = 'silently', changed_at = changed_at WHERE id = 3")
    for day in (1, 8, 15, 22):
        office.land(day)
        assert office.notes()[3] == "n"
    (receipt,) = office.land(28).receipts
    assert receipt.is_whole
    assert (receipt.rows_accepted, receipt.rows_duplicate) == (1, 30)
    assert office.notes()[3] == "silently"
    assert not office.land(29).receipts[0].is_whole


def test_a_landing_can_be_told_to_reconcile_now(office: Office) -> None:
    office.fill(range(1, 31))
    office.fill(range(100, 101), moment="'2025-02-27 00:00:00'")
    office.land()
    office.database.execute("UPDATE loan SET note = 'silently', changed_at = changed_at WHERE id = 3")
    office.database.execute("DELETE FROM loan WHERE id = 7")
    office.fill(range(31, 32), note="very late")
    (receipt,) = office.land(reconcile=True).receipts
    assert (receipt.rows_accepted, receipt.keys_compared, receipt.is_whole) == (2, True, True)
    kept = {number: "n" for number in (*range(1, 31), 100) if number != 7}
    assert office.notes() == kept | {3: "silently", 31: "very late"}


def test_rows_of_a_table_that_never_loses_any_stay_when_they_vanish(office: Office) -> None:
    office.change("deletes: physical", "deletes: none")
    office.fill(range(1, 31))
    office.land()
    office.database.execute("DELETE FROM loan WHERE id = 7")
    assert office.land(1).receipts[0].deleted_files == ()
    assert 7 in office.notes()
    assert not office.land(2).receipts[0].keys_compared, "the difference is known now"


def test_going_back_to_a_former_contract_judges_everything_anew(office: Office) -> None:
    fill(office.database, f"(1, 'lent', NULL, 1, 1, 'a', {OLD})")
    fill(office.database, "(2, 'loan', NULL, 1, 1, 'b', '2025-02-27 00:00:00')")
    office.land()
    office.change("loan: [loan]", "loan: [loan, lent]")
    office.land(1)
    assert set(office.notes()) == {1, 2}
    office.change("loan: [loan, lent]", "loan: [loan]")
    assert office.land(2).receipts[0].rows_quarantined == 1


def test_a_row_of_the_future_does_not_hide_a_week_in_which_nothing_landed(office: Office) -> None:
    office.fill(range(1, 2), moment="'2037-12-31 00:00:00'")
    office.land()
    office.fill(range(2, 3), moment="'2025-03-02 00:00:00'")
    assert office.land(20).receipts[0].rows_accepted == 1


# Floors and ceilings --------------------------------------------------------------------------------------------------


def test_a_table_that_lost_a_fifth_is_refused_with_both_numbers(office: Office) -> None:
    office.fill(range(1, 301))
    assert office.land().error is None
    office.database.execute("DELETE FROM loan WHERE id > 239")
    result = office.land(1)
    assert result.error == (
        "library: 239 rows of loan came, under 80% of the 300 of the last accepted delivery; ask the owner whether "
        "that is right; if it is, set floor or ceiling of loan in the contract for one landing."
    )
    assert [receipt.state for receipt in result.receipts] == ["refused"]
    assert len(office.notes()) == 300
    office.change("vanish_limit: 0.02", "vanish_limit: 0.5\n    floor: 0.5")
    assert office.land(2).error is None
    assert len(office.notes()) == 239


def test_a_table_that_swelled_beyond_its_ceiling_is_refused_with_both_numbers(office: Office) -> None:
    office.change("vanish_limit: 0.02", "vanish_limit: 0.02\n    ceiling: 1.5")
    office.fill(range(1, 301))
    office.land()
    office.fill(range(301, 452))
    assert "451 rows of loan came, over 150% of the 300" in str(office.land(1).error)
    office.database.execute("DELETE FROM loan WHERE id > 450")
    assert office.land(2).error is None
    assert len(office.notes()) == 450


@pytest.mark.parametrize(
    ("rows", "before", "refused"),
    [
        (0, None, False),
        (1, SMALLEST_COMPARED - 1, False),
        (8_000, 10_000, False),
        (7_999, 10_000, True),
        (0, 10_000, True),
        (1_000_000, 10_000, False),
    ],
)
def test_the_first_delivery_and_small_ones_are_not_compared(
    tmp_path: Path, rows: int, before: int | None, refused: bool
) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "contract.yml").write_text(CONTRACT, encoding="utf-8")
    assert (check_floor(read_contract(folder).entity("loan"), rows, before) is not None) == refused


# Drift ----------------------------------------------------------------------------------------------------------------


def test_a_changed_type_refuses_the_delivery_and_names_both(postgres_office: Office) -> None:
    office = postgres_office
    office.fill(range(1, 4))
    office.land()
    office.database.execute("ALTER TABLE loan ALTER COLUMN small TYPE varchar(9)")
    result = office.land(1)
    assert result.error == (
        "library: types changed in table loan: small was smallint and is character varying; ask the owner what it "
        "means, then agree to it by owner_type in the contract."
    )
    assert [receipt.state for receipt in result.receipts] == ["refused"]
    assert office.land(2).error == result.error, "a refused delivery is no precedent"
    office.change("small: {type: integer}", "small: {type: integer, owner_type: varchar}")
    assert office.land(3).error is None
    office.database.execute("ALTER TABLE loan ALTER COLUMN small TYPE integer USING small::integer")
    assert "small was varchar and is integer" in str(office.land(4).error)


def test_a_wider_type_of_the_same_family_is_no_change(postgres_office: Office) -> None:
    office = postgres_office
    office.fill(range(1, 4))
    office.land()
    office.database.execute("ALTER TABLE loan ALTER COLUMN small TYPE bigint, ALTER COLUMN note TYPE text")
    assert office.land(1).error is None


def test_a_column_nobody_uses_may_change_as_it_likes(postgres_office: Office) -> None:
    office = postgres_office
    office.database.execute("ALTER TABLE loan ADD COLUMN colour varchar(9)")
    fill(office.database, f"(1, 'loan', NULL, 1, 1, 'a', {OLD}, '7')")
    office.land()
    office.database.execute("ALTER TABLE loan ALTER COLUMN colour TYPE integer USING colour::integer")
    assert office.land(1).error is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("varchar(10)", "text", True),
        ("int", "bigint", True),
        ("date", "timestamp without time zone", False),
        ("timestamp without time zone", "timestamp with time zone", False),
        ("numeric", "double precision", False),
        ("datetime", "timestamp", False),
        ("uuid", "UUID", True),
    ],
)
def test_types_are_compared_by_family(one: str, other: str, same: bool) -> None:
    assert (family_of(one) == family_of(other)) == same


def test_a_day_that_is_none_is_a_breach_and_keeps_its_text(office: Office) -> None:
    """MySQL may hold 0000-00-00 and 2025-00-00; a scanner would make an empty day of one and stop at the other."""
    if office.database.kind != "mysql":
        pytest.skip("PostgreSQL holds no such day")
    office.database.execute("ALTER TABLE loan MODIFY changed_at datetime(3) NOT NULL")
    office.database.execute(
        "INSERT IGNORE INTO loan VALUES (1, 'loan', '0000-00-00', 1, 1, 'a', '2025-02-27 00:00:00'), "
        "(2, 'loan', '2025-01-31', 1, 1, 'b', '2025-02-27 00:00:00'), "
        "(3, 'loan', NULL, 1, 1, 'c', '2025-02-27 00:00:00'), (4, 'loan', NULL, 1, 1, 'd', '0000-00-00 00:00:00')"
    )
    assert office.land().counts["rows_quarantined"] == 2
    assert office.ask("SELECT reason_code, row_json ->> 'day' FROM landing.quarantine ORDER BY position") == [
        ("unreadable_date", "0000-00-00"),
        ("unreadable_timestamp", None),
    ]
    assert [str(day) for (day,) in office.ask("SELECT day FROM landing.library__loan ORDER BY id")] == [
        "2025-01-31",
        "None",
    ]
    result = office.land(1)
    assert (result.error, result.counts["rows_accepted"], result.counts["rows_quarantined"]) == (None, 0, 0)
