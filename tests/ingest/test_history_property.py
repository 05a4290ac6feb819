"""Whatever happened at the source and however often we were killed: in the end the landing equals the source.

Histories are drawn at random: inserts, updates, deletes, late commits, ties, corrections that do not move the moment of
change, rows that break the contract; landings in between on later and later days, some of them killed between any two
steps that touch the disk.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lending_library import CONTRACT, TABLE, check_conservation
from owner_database import OwnerDatabase

from ingest import land_database, reconcile, records
from ingest.land import LandingResult, land
from ingest.landing import create_views
from warehouse.duck import connect
from warehouse.home import Home

START = datetime(2025, 3, 1, 1, 0, tzinfo=UTC)
NUMBERS = st.integers(1, 12)
ROWS = st.integers(1, 4)
# Hours before the landing's moment: inside the overlap, far outside of it, and in the future.
HOURS_AGO = st.sampled_from([0, 1, 1, 5, 70, 100, 2000, -48, -100_000])


class Killed(BaseException):
    """What a landing meets when its process is killed: nothing catches it."""


@dataclass
class Fuse:
    """Burns down with every step that touches the disk; at its end the landing is killed."""

    left: int

    def watch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise Killed
            return function(*arguments, **options)

        return call


@dataclass
class History:
    """The source, our landing of it, and the day on which we are."""

    database: OwnerDatabase
    root: Path
    day: int = 0
    killed: int = 0

    def __post_init__(self) -> None:
        folder = self.root / "sources" / "library"
        folder.mkdir(parents=True)
        # One row stays for good, so the table may lose all others at once.
        contract = CONTRACT.replace("vanish_limit: 0.02", "vanish_limit: 1\n    floor: 0")
        (folder / "contract.yml").write_text(contract, encoding="utf-8")
        self.home = Home(self.root / "home")
        self.database.execute(f"DROP TABLE IF EXISTS loan; {TABLE}")
        for number in range(8):
            self.insert(number, 24 * number, "theft" if number == 5 else "loan")

    def moment(self, hours_ago: int) -> str:
        return f"'{START + timedelta(days=self.day, hours=8 - hours_ago):%Y-%m-%d %H:%M:%S}'"

    def insert(self, number: int, hours_ago: int, kind: str) -> None:
        self.database.execute(
            f"INSERT INTO loan VALUES ({number}, '{kind}', NULL, 1.50, 1, 'new', {self.moment(hours_ago)}) "
            "ON CONFLICT (id) DO NOTHING"
        )

    def update(self, first: int, rows: int, hours_ago: int | None, kind: str, note: str) -> None:
        """Many rows with one moment of change; without ``hours_ago`` the moment does not move."""
        moved = "" if hours_ago is None else f", changed_at = {self.moment(hours_ago)}"
        self.database.execute(
            f"UPDATE loan SET kind = '{kind}', note = '{note}'{moved} WHERE id >= {first} AND id < {first + rows}"
        )

    def delete(self, first: int, rows: int) -> None:
        self.database.execute(f"DELETE FROM loan WHERE id >= {first} AND id < {first + rows}")

    def land(self, days: int, steps: int | None, reconcile_now: bool) -> LandingResult | None:
        """Land ``days`` later; killed after ``steps`` steps, if it has so many."""
        self.day += days
        fuse = Fuse(10_000 if steps is None else steps)
        with ExitStack() as stack:
            for place, name in (
                (Path, "replace"),
                (os, "fsync"),
                (land_database, "copy"),
                (records, "copy"),
                (reconcile, "copy"),
            ):
                stack.enter_context(patch.object(place, name, fuse.watch(getattr(place, name))))
            try:
                return land(
                    "library",
                    self.database.uri,
                    self.home,
                    sources=self.root / "sources",
                    reconcile=reconcile_now,
                    clock=lambda: START + timedelta(days=self.day),
                )
            except Killed:
                self.killed += 1
                return None

    def landed(self) -> tuple[list[tuple[Any, ...]], list[str]]:
        """Rows of the landing, and keys of the rows that wait in quarantine."""
        with connect(extensions=("icu", "json")) as duck:
            create_views(duck, self.home, self.root / "sources")
            check_conservation(duck)
            rows = duck.execute(
                "SELECT id, kind, CAST(fee AS VARCHAR), note, CAST(timezone('Asia/Shanghai', changed_at) AS VARCHAR), "
                "CAST(_landed_at AS VARCHAR) FROM landing.library__loan ORDER BY ALL"
            ).fetchall()
            waiting = duck.execute("SELECT row_json ->> 'id' FROM landing.quarantine ORDER BY 1").fetchall()
        return rows, [key for (key,) in waiting]

    def source(self) -> list[tuple[Any, ...]]:
        with connect(extensions=("postgres_scanner",)) as duck:
            duck.execute(f"ATTACH '{self.database.uri}' AS office (TYPE postgres, READ_ONLY)")
            return duck.execute(
                "SELECT id, kind, CAST(fee AS VARCHAR), note, CAST(changed_at AS VARCHAR) FROM office.loan ORDER BY ALL"
            ).fetchall()

    def check(self) -> None:
        """The landing equals the source, and landing again changes nothing."""
        result = self.land(0, None, reconcile_now=True)
        assert result is not None
        assert result.error is None
        rows, waiting = self.landed()
        source = self.source()
        good = [row for row in source if row[1] != "theft"]
        bad = {row[0] for row in source if row[1] == "theft"}
        # A record that went wrong keeps its last good state beside the refused one.
        assert [row[:5] for row in rows if row[0] not in bad] == good
        assert waiting == sorted(str(number) for number in bad)
        for reconcile_now in (False, True):
            again = self.land(0, None, reconcile_now)
            assert again is not None
            assert [again.counts[name] for name in ("rows_accepted", "rows_quarantined")] == [0, 0]
            assert [receipt.deleted_files for receipt in again.receipts] == [()]
            assert self.landed() == (rows, waiting)


KIND = st.sampled_from(["loan", "loan", "back", "theft"])
NOTE = st.sampled_from(["a", "b", "𠅤"])
# A landing takes a dozen steps or fewer.
KILLED_AFTER = st.one_of(st.none(), st.integers(0, 12))
LAND = st.tuples(st.just("land"), st.integers(0, 9), KILLED_AFTER, st.just(False))
INSERT = st.tuples(st.just("insert"), NUMBERS, HOURS_AGO, KIND)
UPDATE = st.tuples(st.just("update"), NUMBERS, ROWS, st.one_of(st.none(), HOURS_AGO), KIND, NOTE)
DELETE = st.tuples(st.just("delete"), NUMBERS, ROWS)
CHANGES = st.lists(st.one_of(INSERT, UPDATE, DELETE), min_size=1, max_size=4)
# Days: what changes at the source, then a landing.
HISTORIES = st.lists(st.tuples(CHANGES, LAND), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def live(database: OwnerDatabase, folder: Path, days: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        history = History(database, Path(name))
        history.land(0, None, reconcile_now=False)
        for changes, landing in days:
            for action, *arguments in (*changes, landing):
                getattr(history, action)(*arguments)
        history.check()


def histories(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Draw so many histories; the database is emptied at the start of each."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
        # A history takes a second: a failing one is short enough to read, and shrinking it would take an hour.
        phases = (Phase.explicit, Phase.reuse, Phase.generate)
        drawn = settings(max_examples=examples, deadline=None, suppress_health_check=quiet, phases=phases)
        decorated: Callable[..., None] = drawn(given(days=HISTORIES)(test))
        return decorated

    return decorate


@histories(10)
def test_the_landing_equals_the_source_after_any_history(
    registry_office: OwnerDatabase, folder: Path, days: list[tuple[Any, ...]]
) -> None:
    live(registry_office, folder, days)


@pytest.mark.heavy
@histories(300)
def test_the_landing_equals_the_source_after_any_of_300_histories(
    registry_office: OwnerDatabase, folder: Path, days: list[tuple[Any, ...]]
) -> None:
    live(registry_office, folder, days)
