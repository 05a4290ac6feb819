"""The rooms golden and findings of a run: as a day of the run before where that stands, else whole."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any

import duckdb

from rongtong.console import ProgressCallback
from rongtong.day import standing
from rongtong.day.build import Day, bring_up_to_date
from rongtong.day.changes import BuildWhole, keep_digests
from rongtong.day.standing import Standing
from rongtong.dbt_room import build_room, ready_builder
from warehouse import duck
from warehouse.home import Home

_LOG = logging.getLogger("rongtong.day")


def begin_work_file(home: Home, run_id: str, variables: dict[str, Any]) -> None:
    """Begin with what the run before built, where that stands."""
    standing.take_over(home, run_id, standing.fingerprint_of(variables["shadow_sources"]))


def build_golden(home: Home, run_id: str, variables: dict[str, Any], progress: ProgressCallback | None) -> str:
    """Build golden; which way it was done and why, as one sentence."""
    with duck.connect(home.work_file(run_id)) as connection:
        told: Standing | Day | str = _begin_a_day(connection, home, run_id, variables)
    if isinstance(told, Standing):
        told = _go_the_day(told, home, run_id, variables, progress)
    if isinstance(told, str):
        with duck.connect(home.work_file(run_id), temp_folder=home.run_folder(run_id) / "temp") as connection:
            standing.write_standing(connection, None)
            _prepare_for_a_day(connection, variables)
        build_room("golden", home, run_id, variables, progress)
        return _say(f"golden was built whole: {told}.")
    return _say(
        f"golden was brought up to date: {sum(told.changed.values()):,} input rows changed,"
        f" {told.citizens:,} citizens and {told.households:,} households were worked out again."
    )


def build_findings(home: Home, run_id: str, variables: dict[str, Any], progress: ProgressCallback | None) -> str:
    """Build findings and hand-overs, and mark the work file for the next run; one sentence."""
    with duck.connect(home.work_file(run_id), read_only=True) as connection:
        mark = standing.read_standing(connection)
    is_day = mark is not None and mark.state == standing.MERGED
    week = " and week" if mark is not None and mark.week_moved else ""
    build_room(f"findings of a day{week}" if is_day else "findings", home, run_id, variables, progress)
    fingerprint = standing.fingerprint_of(variables["shadow_sources"])
    with duck.connect(home.work_file(run_id)) as connection:
        as_of = date.fromisoformat(variables["as_of"])
        standing.write_standing(connection, Standing(fingerprint, run_id, as_of, standing.BUILT))
    return _say("findings were brought up to date." if is_day else "findings were built whole.")


def _begin_a_day(
    connection: duckdb.DuckDBPyConnection, home: Home, run_id: str, variables: dict[str, Any]
) -> Standing | str:
    """The mark of the run before that golden can be brought up to date from, or why it has to be built whole."""
    mark = standing.read_standing(connection)
    if mark is None or mark.state != standing.CARRIED:
        return "no run before it stands under this code, or the city is small"
    if not home.work_file(mark.run_id).exists():
        return "the work file of the run before is gone"
    as_of = date.fromisoformat(variables["as_of"])
    if as_of < mark.as_of:
        return "it speaks of an earlier day than the run before"
    if _thresholds_differ(connection, mark.as_of, as_of):
        return "another threshold is in force"
    week_moved = _last_week(connection, mark.as_of) != _last_week(connection, as_of)
    return replace(mark, week_moved=week_moved)


def _go_the_day(
    mark: Standing, home: Home, run_id: str, variables: dict[str, Any], progress: ProgressCallback | None
) -> Day | str:
    """Bring golden up to date from the run before, or say why it has to be built whole."""
    week = " and week" if mark.week_moved else ""
    small_file = home.private_folder(home.run_folder(run_id) / "small") / "work.duckdb"
    small_file.unlink(missing_ok=True)
    small_room = "small city of a week" if mark.week_moved else "small city"
    merged = replace(mark, run_id=run_id, as_of=date.fromisoformat(variables["as_of"]), state=standing.MERGED)
    # dbt gets ready while it is looked for what changed.
    with ready_builder(home, run_id, variables) as build:
        with duck.connect(home.work_file(run_id), temp_folder=home.run_folder(run_id) / "temp") as connection:
            before = str(home.work_file(mark.run_id)).replace(chr(39), chr(39) * 2)
            connection.execute(f"ATTACH '{before}' AS base (READ_ONLY)")
            try:
                day = bring_up_to_date(
                    connection,
                    small_file,
                    lambda file, _tables: build(small_room, progress, work_file=file),
                    before=mark.as_of,
                    now=merged.as_of,
                    week_moved=mark.week_moved,
                    shadow_sources=variables["shadow_sources"],
                    when_merged=lambda: standing.write_standing(connection, merged),
                )
            except BuildWhole as reason:
                return str(reason)
        build(f"golden of a day{week}", progress)
    return day


def _prepare_for_a_day(connection: duckdb.DuckDBPyConnection, variables: dict[str, Any]) -> None:
    """Keep what the next run will compare its inputs with, where it can begin from this one."""
    if not standing.is_large(connection):
        return
    # An input that is no table cannot be compared row by row: the next run will say so and build whole.
    with suppress(BuildWhole):
        keep_digests(connection, variables["shadow_sources"])


def _thresholds_differ(connection: duckdb.DuckDBPyConnection, before: date, now: date) -> bool:
    in_force = (
        "SELECT parameter, value FROM work.reference.parameters WHERE valid_from <= $1 AND coalesce(valid_to, $1) >= $1"
    )
    old, new = (sorted(connection.execute(in_force, [day]).fetchall()) for day in (before, now))
    return old != new


def _last_week(connection: duckdb.DuckDBPyConnection, day: date) -> date:
    """The Sunday of the last week whose visits are due on a day (``int_care_weeks__due``)."""
    rows = connection.execute(
        "SELECT CAST(date_trunc('week', $1 - CAST(value AS INTEGER) + 1) - INTERVAL 1 DAY AS DATE)"
        " FROM work.reference.parameters WHERE parameter = 'late_entry_days'"
        " AND valid_from <= $1 AND coalesce(valid_to, $1) >= $1",
        [day],
    ).fetchall()
    return date.fromisoformat(str(rows[0][0]))


def _say(sentence: str) -> str:
    _LOG.info("%s", sentence)
    return sentence
