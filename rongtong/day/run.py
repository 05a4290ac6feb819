"""The rooms golden and findings of a run: as a day of the run before where that stands, else whole."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from rongtong.console import ProgressCallback
from rongtong.day import standing
from rongtong.day.build import Day, bring_up_to_date
from rongtong.day.changes import BuildWhole
from rongtong.day.standing import Standing
from rongtong.dbt_room import build_room
from warehouse import duck
from warehouse.home import Home

_LOG = logging.getLogger("rongtong.day")


def begin_work_file(home: Home, run_id: str, variables: dict[str, Any]) -> None:
    """Begin with what the run before built, where that stands."""
    standing.take_over(home, run_id, standing.fingerprint_of(variables["shadow_sources"]))


def build_golden(home: Home, run_id: str, variables: dict[str, Any], progress: ProgressCallback | None) -> str:
    """Build golden; which way it was done and why, as one sentence."""
    with duck.connect(home.work_file(run_id), temp_folder=home.run_folder(run_id) / "temp") as connection:
        told = _go_the_day(connection, home, run_id, variables, progress)
        if isinstance(told, str):
            standing.write_standing(connection, None)
    if isinstance(told, str):
        build_room("golden", home, run_id, variables, progress)
        return _say(f"golden was built whole: {told}.")
    week = " and week" if told.week_moved else ""
    build_room(f"golden of a day{week}", home, run_id, variables, progress)
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


def _go_the_day(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    run_id: str,
    variables: dict[str, Any],
    progress: ProgressCallback | None,
) -> Day | str:
    """Bring golden up to date, or say why it has to be built whole."""
    mark = standing.read_standing(connection)
    if mark is None or mark.state != standing.CARRIED:
        return "no run before it stands under this code, or the city is small"
    before = home.work_file(mark.run_id)
    if not before.exists():
        return "the work file of the run before is gone"
    as_of = date.fromisoformat(variables["as_of"])
    if as_of < mark.as_of:
        return "it speaks of an earlier day than the run before"
    if _thresholds_differ(connection, mark.as_of, as_of):
        return "another threshold is in force"
    week_moved = _last_week(connection, mark.as_of) != _last_week(connection, as_of)
    small_file = home.private_folder(home.run_folder(run_id) / "small") / "work.duckdb"
    small_file.unlink(missing_ok=True)
    connection.execute(f"ATTACH '{str(before).replace(chr(39), chr(39) * 2)}' AS base (READ_ONLY)")
    room = "small city of a week" if week_moved else "small city"

    def build_small(file: Path, _tables: tuple[str, ...]) -> None:
        build_room(room, home, run_id, variables, progress, work_file=file)

    merged = Standing(mark.fingerprint, run_id, as_of, standing.MERGED, week_moved)
    try:
        return bring_up_to_date(
            connection,
            small_file,
            build_small,
            before=mark.as_of,
            now=as_of,
            week_moved=week_moved,
            shadow_sources=variables["shadow_sources"],
            when_merged=lambda: standing.write_standing(connection, merged),
        )
    except BuildWhole as reason:
        return str(reason)


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
