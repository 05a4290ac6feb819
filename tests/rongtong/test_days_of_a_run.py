"""Runs after a run, of which each starts from the work file before it: their golden and findings equal whole builds."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rongtong import steps
from rongtong.day import standing
from rongtong.day.standing import BUILT, read_standing, write_standing
from warehouse.duck import connect
from warehouse.home import Home

BUILT_ROOMS = ("intermediate", "golden", "findings", "handovers")
# What a day brings, written over what staging and identity say.
CHANGES = (
    "DELETE FROM staging.stg_eldercare__care_visits WHERE hash(source_record_id, {day}) % 50 = 0",
    "UPDATE staging.stg_marriage__events SET event_date = event_date + 30 WHERE hash(source_record_id, {day}) % 40 = 0",
    "UPDATE staging.stg_allowance__payments SET is_failed = true WHERE hash(source_record_id, {day}) % 200 = 0",
    "UPDATE staging.stg_funeral__mentions SET is_withdrawn = true WHERE hash(source_record_id, {day}) % 20 = 0",
    "UPDATE identity.mention_links SET citizen_id = NULL WHERE hash(mention_key, {day}) % 500 = 0",
)


@pytest.mark.heavy
def test_days_that_start_from_the_run_before_equal_whole_builds(
    published: Any, city: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "SMALL_CITY", 0)
    home = Home(tmp_path / "var")
    shutil.copytree(published.home, home.root)
    as_of = dt.date.fromisoformat(city.as_of)
    # The second day finds the digests of the first, and a week is due.
    for passed in (1, 8):
        run_id = begin_and_link(home, as_of + dt.timedelta(days=passed))
        with connect(home.work_file(run_id)) as work:
            for statement in CHANGES:
                work.execute(statement.format(day=passed))
        other = Home(tmp_path / f"whole-{passed}")
        shutil.copytree(home.root, other.root)
        with connect(other.work_file(run_id)) as work:
            write_standing(work, None)
        assert "brought up to date" in steps.build_golden(home, run_id)
        assert "built whole" in steps.build_golden(other, run_id)
        for each in (home, other):
            steps.build_findings(each, run_id)
        assert differing(home.work_file(run_id), other.work_file(run_id)) == {}


def begin_and_link(home: Home, as_of: dt.date) -> str:
    run_id = steps.begin(home, as_of)
    steps.build_staging(home, run_id)
    steps.resolve_citizens(home, run_id)
    return run_id


def differing(one: Path, other: Path) -> dict[str, int]:
    """Tables of two work files that do not hold the same rows, with how many rows only one of them has."""
    found = {}
    with duckdb.connect() as duck:
        for name, file in (("one", one), ("other", other)):
            duck.execute(f"ATTACH '{file}' AS {name} (READ_ONLY)")
        tables = duck.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables()"
            " WHERE database_name = 'other' AND list_contains(?, schema_name)",
            [list(BUILT_ROOMS)],
        ).fetchall()
        assert len(tables) > 50
        for (table,) in tables:
            rows = duck.execute(
                f"SELECT count(*) FROM ((FROM one.{table} EXCEPT ALL FROM other.{table})"
                f" UNION ALL (FROM other.{table} EXCEPT ALL FROM one.{table}))"
            ).fetchall()[0][0]
            if rows:
                found[table] = int(rows)
    return found


def test_a_run_marks_its_work_file_and_a_small_city_is_built_whole(published: Any) -> None:
    home = Home(published.home)
    with connect(home.work_file(published.first.json["run_id"]), read_only=True) as work:
        mark = read_standing(work)
    assert mark is not None
    assert mark.state == BUILT
    assert mark.fingerprint == standing.fingerprint_of([])
    assert standing.take_over(home, "20991231T000000-none", mark.fingerprint) is None
