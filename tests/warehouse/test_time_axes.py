"""Two time axes: what was true on a day, as far as it was known at a moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from warehouse import history
from warehouse.as_of import AS_OF, end_of_day
from warehouse.home import Home
from warehouse.lake import NothingPublished, Snapshot

# The death of everybody born in 1939 becomes known with the second snapshot; it happened long before.
A_DEATH_BECOMES_KNOWN = (
    "UPDATE golden.citizens SET life_status = 'alive', death_date = NULL WHERE birth_year = 1939",
    "UPDATE golden.citizens SET life_status = 'deceased', death_date = DATE '2025-06-15' WHERE birth_year = 1939",
)
DEAD = "SELECT count(*) FROM citizens_as_of(DATE '{day}') WHERE birth_year = 1939 AND life_status = 'deceased'"


def ask(home: Home, sql: str, known: Snapshot | None = None) -> Any:
    return history.query(home, sql, None if known is None else known.published_at).fetchall()


@pytest.fixture
def two_snapshots(home: Home, publish_run: Callable[..., Snapshot]) -> tuple[Snapshot, Snapshot]:
    before, after = A_DEATH_BECOMES_KNOWN
    return publish_run(before), publish_run(after)


def test_a_death_is_true_from_its_day_and_known_from_its_snapshot(
    home: Home, two_snapshots: tuple[Snapshot, Snapshot]
) -> None:
    first, second = two_snapshots
    for known, day, dead in (
        (first, "2025-06-14", 0),
        (first, "2025-06-15", 0),
        (second, "2025-06-14", 0),
        (second, "2025-06-15", 1),
        (None, "2025-06-15", 1),
    ):
        assert ask(home, DEAD.format(day=day), known) == [(dead,)], (known, day)


def test_a_marriage_holds_from_its_day_on(home: Home, two_snapshots: tuple[Snapshot, Snapshot]) -> None:
    asked = "SELECT DISTINCT marital_status, spouse_citizen_id IS NULL FROM citizens_as_of(DATE '{}')"
    assert ask(home, asked.format("1990-04-30")) == [("never_recorded", True)]
    assert ask(home, asked.format("1990-05-01")) == [("married", False)]


def test_months_and_periods_hold_the_day_asked_for(home: Home, two_snapshots: tuple[Snapshot, Snapshot]) -> None:
    for function, inside, outside in (
        ("benefit_months_as_of", "2025-03-31", "2025-04-01"),
        ("households_as_of", "2025-03-01", "2025-02-28"),
        ("household_members_as_of", "2025-03-15", "2025-04-15"),
        ("findings_as_of", "2025-08-31", "2025-09-01"),
        ("bed_stays_as_of", "2025-05-09", "2025-05-10"),
        ("citizen_relationships_as_of", "1990-05-01", "1990-04-30"),
    ):
        assert ask(home, f"SELECT count(*) > 0 FROM {function}(DATE '{inside}')") == [(True,)], function
        assert ask(home, f"SELECT count(*) FROM {function}(DATE '{outside}')") == [(0,)], function


def test_today_is_the_table_itself(home: Home, two_snapshots: tuple[Snapshot, Snapshot]) -> None:
    sql = "SELECT count(*) FROM (FROM {} EXCEPT ALL FROM {})"
    of_today = "citizens_as_of(DATE '2026-01-20')"
    assert ask(home, sql.format("citizens", of_today)) == [(0,)]
    assert ask(home, sql.format(of_today, "citizens")) == [(0,)]


def test_before_the_first_snapshot_nothing_was_known(home: Home, two_snapshots: tuple[Snapshot, Snapshot]) -> None:
    with pytest.raises(NothingPublished, match="nothing was published by"):
        history.query(home, "SELECT 1", two_snapshots[0].published_at - timedelta(seconds=1))
    assert end_of_day(date(2026, 4, 30)).isoformat() == "2026-04-30T23:59:59.999999+08:00"
    assert set(AS_OF) >= {"citizens_as_of", "benefit_months_as_of", "households_as_of", "findings_as_of"}
