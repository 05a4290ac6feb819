"""The work-list: what people did with leads, kept in a ledger that is only ever appended to.

A lead's state is published by the run that saw it; what people did since lies over it at once and is taken in by the
next run. The ledger is one small database file under ``<home>/worklist``, for its owner only, because reasons may name
people. All entries of one call are written in one transaction: a process killed meanwhile leaves none of them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

import duckdb

from warehouse.begun import begin_database
from warehouse.duck import HELD_BY_ANOTHER, connect
from warehouse.home import Home
from warehouse.lake import NOTHING, NothingPublished, attach_published, snapshots_of
from warehouse.lock import Held
from warehouse.rooms import PUBLISHED, SCHEMA, room
from warehouse.thresholds import LOCK_WAIT_SECONDS

ACCESS_LOG = "access.jsonl"
LEDGER_FILE = "ledger.duckdb"
SHORTEST_PREFIX = 6


class State(StrEnum):
    """Where a lead stands."""

    CANDIDATE = "candidate"
    NEEDS_IDENTITY_REVIEW = "needs_identity_review"
    DISPATCHED = "dispatched"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    UNDETERMINED = "undetermined"
    HANDLED = "handled"
    CLOSED = "closed"


VERDICTS = frozenset({State.CONFIRMED, State.REJECTED, State.UNDETERMINED, State.HANDLED})

# What people may do with a lead in a state. Runs alone write candidate (a lead that nobody decided about),
# needs_identity_review and closed; a person who writes candidate revokes what was decided before.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.CANDIDATE: VERDICTS | {State.DISPATCHED},
    State.NEEDS_IDENTITY_REVIEW: VERDICTS | {State.DISPATCHED},
    State.DISPATCHED: VERDICTS | {State.DISPATCHED, State.CANDIDATE},
    State.UNDETERMINED: VERDICTS - {State.UNDETERMINED} | {State.DISPATCHED, State.CANDIDATE},
    State.CONFIRMED: frozenset({State.HANDLED, State.CANDIDATE}),
    State.REJECTED: frozenset({State.CANDIDATE}),
    State.HANDLED: frozenset({State.CANDIDATE}),
    State.CLOSED: frozenset(),
}
# A lead that waits for a person.
OPEN = (State.CANDIDATE, State.NEEDS_IDENTITY_REVIEW, State.DISPATCHED, State.UNDETERMINED, State.CONFIRMED)

# The columns of the ledger: who did what to which lead, when, why, and which lead that was on that day (rule, citizen
# or household, period), so that a decision is understood when the lead comes again under another id.
LEDGER = {
    "decision_number": "BIGINT",
    "decision_key": "VARCHAR",
    "finding_id": "VARCHAR",
    "state": "VARCHAR",
    "dispatched_to": "VARCHAR",
    "decided_by": "VARCHAR",
    "decided_on": "DATE",
    "recorded_at": "TIMESTAMP WITH TIME ZONE",
    "why": "VARCHAR",
    "origin": "VARCHAR",
    "rule": "VARCHAR",
    "citizen_id": "VARCHAR",
    "household_key": "VARCHAR",
    "period_from": "DATE",
    "period_to": "DATE",
}
_DECLARED = ", ".join(f"{name} {kind}" for name, kind in LEDGER.items())
# What a run needs of it: no name, no reason.
HANDED_TO_RUNS = (
    "decision_number",
    "finding_id",
    "state",
    "rule",
    "citizen_id",
    "household_key",
    "period_from",
    "period_to",
)


class WorklistUnusable(RuntimeError):
    """The ledger of the work-list cannot be opened or written; one sentence."""


class FindingUnknown(LookupError):
    """No published lead has that id; one sentence."""


def copy_decisions_into(work_connection: duckdb.DuckDBPyConnection, home: Home, target: str) -> int:
    """Create ``target`` in an open work file as a copy of the ledger without names and reasons; return its entries.

    ``target`` may name a schema, which is created. Without a ledger it is empty. Raises ``WorklistUnusable``.
    """
    if "." in target:
        work_connection.execute(f"CREATE SCHEMA IF NOT EXISTS {target.rpartition('.')[0]}")
    with _ledger(work_connection, home) as ledger:
        columns = ", ".join(HANDED_TO_RUNS)
        work_connection.execute(f"CREATE OR REPLACE TABLE {target} AS SELECT {columns} FROM {ledger}")
        row = work_connection.execute(f"SELECT count(*) FROM {target}").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _ledger(connection: duckdb.DuckDBPyConnection, home: Home, *, write: bool = False) -> Iterator[str]:
    """Attach the ledger and yield the name of its table; one process at a time may write it, nobody reads meanwhile."""
    file = home.worklist / LEDGER_FILE
    if write:
        _begin(connection, home)
    elif not file.exists():
        yield _no_decisions(connection)
        return
    _attach(connection, str(file).replace("'", "''"), write)
    try:
        # Of a ledger that was begun before they appeared whole the table may be missing.
        if write:
            connection.execute(f"CREATE TABLE IF NOT EXISTS worklist.decisions ({_DECLARED})")
        is_whole = connection.execute("SELECT 1 FROM duckdb_tables() WHERE database_name = 'worklist'").fetchall()
        yield "worklist.decisions" if is_whole else _no_decisions(connection)
    finally:
        connection.execute("DETACH worklist")


def _no_decisions(connection: duckdb.DuckDBPyConnection) -> str:
    """The name of an empty table like the ledger's."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE no_decisions ({_DECLARED})")
    return "no_decisions"


def _begin(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Make the ledger if there is none."""
    try:
        file = home.private_folder(home.worklist) / LEDGER_FILE
        begin_database(connection, file, f"decisions ({_DECLARED})")
    except (OSError, Held, duckdb.Error) as error:
        raise WorklistUnusable(
            f"the ledger of the work-list cannot be made ({type(error).__name__}); check that its folder worklist/ can"
            " be written to and has room."
        ) from None


def _attach(connection: duckdb.DuckDBPyConnection, file: str, write: bool) -> None:
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            connection.execute(f"ATTACH '{file}' AS worklist{'' if write else ' (READ_ONLY)'}")
            return
        except duckdb.Error as error:
            if HELD_BY_ANOTHER not in str(error):
                raise WorklistUnusable(
                    f"the ledger of the work-list cannot be opened ({type(error).__name__});"
                    f" check worklist/{LEDGER_FILE}."
                ) from None
            if time.monotonic() > deadline:
                raise WorklistUnusable(
                    "the ledger of the work-list is open in another process; close it and try again."
                ) from None
            time.sleep(0.1)


@dataclass(frozen=True)
class Decision:
    """What a person says about one lead.

    ``finding``: its id or an unambiguous beginning of it. ``state``: dispatched (then ``dispatched_to`` names a
    district or a person), a verdict, or candidate, which revokes. ``decided_on``: the day the person decided, where it
    is not the day of the entry. ``key``: names this very statement, so that the same one is never entered twice (none:
    always a new one). ``origin``: where it came from.
    """

    finding: str
    state: State
    by: str
    why: str | None = None
    dispatched_to: str | None = None
    decided_on: date | None = None
    key: str | None = None
    origin: str = "command line"


@dataclass(frozen=True)
class Noted:
    """What became of one decision: the lead's id and states, or why it was refused; ``is_new`` when it was entered."""

    finding_id: str | None
    before: str | None
    state: str | None
    is_new: bool
    refusal: str | None = None


@dataclass(frozen=True)
class Selection:
    """Which leads: None selects all."""

    rule: str | None = None
    states: tuple[State, ...] | None = None
    district: str | None = None
    severity: str | None = None


@contextmanager
def open_leads(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the published lake, temporary tables ``leads`` and ``decisions``, all of one moment.

    ``leads``: one row per published lead with the columns of ``findings``, managing_district, name_masked, and over the
    published state what people did since; published_state is the run's. Raises ``NothingPublished``,
    ``WorklistUnusable``.
    """
    with connect(extensions=["icu", "json"]) as connection:
        attach_published(connection, home)
        if not snapshots_of(connection, PUBLISHED):
            raise NothingPublished(NOTHING)
        with _ledger(connection, home) as ledger:
            connection.execute(f"CREATE TEMP TABLE decisions AS FROM {ledger}")
        _create_leads(connection, "decisions")
        yield connection


def _create_leads(connection: duckdb.DuckDBPyConnection, ledger: str) -> None:
    findings = f"{PUBLISHED}.{SCHEMA}.findings"
    present = {row[0] for row in connection.execute(f"DESCRIBE {findings}").fetchall()}
    # A snapshot of a run before the work-list has no such column.
    taken_in = "f.decision_number" if "decision_number" in present else "NULL::BIGINT"
    declared = ", ".join(
        f"f.{name}" if name in present else f"NULL::{kind} AS {name}"
        for name, kind in room("findings").columns.items()
        if name not in ("state", "decision_number")
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE leads AS
        WITH latest AS (
            SELECT finding_id, max(decision_number) AS decision_number, arg_max(state, decision_number) AS state,
                max(decision_number) FILTER (state = '{State.DISPATCHED}') AS dispatch_number,
                arg_max(dispatched_to, decision_number) FILTER (state = '{State.DISPATCHED}') AS dispatched_to
            FROM {ledger} GROUP BY finding_id
        ),
        homes AS (
            SELECT household_key, min(managing_district) AS managing_district
            FROM {PUBLISHED}.{SCHEMA}.households GROUP BY household_key
        ),
        -- Nobody manages the person: then the district of residence, where it is one of the city's.
        managing AS (
            SELECT managing_district FROM {PUBLISHED}.{SCHEMA}.citizens WHERE managing_district IS NOT NULL
            UNION SELECT managing_district FROM homes WHERE managing_district IS NOT NULL
        )
        SELECT {declared}, f.state AS published_state,
            CASE WHEN l.decision_number > coalesce({taken_in}, 0) THEN l.state ELSE f.state END AS state,
            l.decision_number, l.dispatched_to,
            coalesce(h.managing_district, c.managing_district, r.managing_district) AS managing_district, c.name_masked
        FROM {findings} AS f
        LEFT JOIN {PUBLISHED}.{SCHEMA}.citizens AS c USING (citizen_id)
        LEFT JOIN homes AS h ON f.household_key = h.household_key
        LEFT JOIN managing AS r ON c.hukou_district = r.managing_district
        LEFT JOIN latest AS l ON f.finding_id = l.finding_id
        """
    )


def select_leads(
    connection: duckdb.DuckDBPyConnection, selection: Selection, limit: int | None = None
) -> tuple[list[dict[str, Any]], int]:
    """Leads of ``open_leads``, the gravest and dearest first, without evidence; and how many there are in all."""
    conditions, values = ["true"], list[Any]()
    for column, value in (
        ("rule", selection.rule),
        ("managing_district", selection.district),
        ("severity", selection.severity),
    ):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if selection.states is not None:
        conditions.append("list_contains(?, state)")
        values.append([str(state) for state in selection.states])
    where = " AND ".join(conditions)
    total = connection.execute(f"SELECT count(*) FROM leads WHERE {where}", values).fetchone()
    assert total is not None
    rows = connection.execute(
        f"SELECT * EXCLUDE (evidence) FROM leads WHERE {where}"
        " ORDER BY severity, amount_yuan DESC, rule, period_from, finding_id LIMIT ?",
        [*values, limit],
    )
    return _records(rows), int(total[0])


def find_lead(connection: duckdb.DuckDBPyConnection, finding: str) -> dict[str, Any]:
    """The lead of ``open_leads`` whose id is, or alone begins with, ``finding``; with its evidence as a list.

    Raises ``FindingUnknown``.
    """
    if len(finding) < SHORTEST_PREFIX:
        raise FindingUnknown(f"{finding!r} is too short for a lead; give at least {SHORTEST_PREFIX} signs of its id.")
    found = _records(
        connection.execute(
            "SELECT * FROM leads WHERE starts_with(finding_id, ?) ORDER BY finding_id LIMIT 2", [finding]
        )
    )
    if not found:
        raise FindingUnknown(f"no published lead has the id {finding}; rongtong findings list names them.")
    if len(found) > 1 and found[0]["finding_id"] != finding:
        raise FindingUnknown(f"several leads begin with {finding}; give more of the id.")
    return found[0] | {"evidence": json.loads(found[0]["evidence"])}


def history_of(connection: duckdb.DuckDBPyConnection, finding_id: str) -> list[dict[str, Any]]:
    """What people did with one lead of ``open_leads``, oldest first."""
    return _records(
        connection.execute(
            "SELECT * EXCLUDE (decision_key) FROM decisions WHERE finding_id = ? ORDER BY decision_number", [finding_id]
        )
    )


def _records(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def record_decisions(home: Home, decisions: Sequence[Decision]) -> list[Noted]:
    """Enter decisions, in their order and each judged after those before it; what may not be is refused with a reason.

    All that is entered is written in one transaction. Raises ``NothingPublished``, ``WorklistUnusable``.
    """
    with connect(extensions=["icu", "json"]) as connection:
        attach_published(connection, home)
        if not snapshots_of(connection, PUBLISHED):
            raise NothingPublished(NOTHING)
        with _ledger(connection, home, write=True) as ledger:
            _create_leads(connection, ledger)
            known = connection.execute(f"SELECT decision_key FROM {ledger} WHERE decision_key IS NOT NULL").fetchall()
            desk = _Desk(connection, _next_number(connection, ledger), {row[0] for row in known})
            noted = [desk.judge(decision) for decision in decisions]
            _write(connection, ledger, desk.entries)
    return noted


def _next_number(connection: duckdb.DuckDBPyConnection, ledger: str) -> int:
    row = connection.execute(f"SELECT coalesce(max(decision_number), 0) + 1 FROM {ledger}").fetchone()
    assert row is not None
    return int(row[0])


class _Desk:
    """Judges decisions one after another; what may be entered collects in ``entries``."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, first_number: int, known_keys: set[str]) -> None:
        self._connection = connection
        self._number = first_number
        self._known_keys = known_keys
        self._states: dict[str, State] = {}
        self.entries: list[dict[str, Any]] = []

    def judge(self, decision: Decision) -> Noted:
        try:
            lead = find_lead(self._connection, decision.finding)
        except FindingUnknown as unknown:
            return Noted(None, None, None, False, str(unknown))
        finding_id = lead["finding_id"]
        before = self._states.get(finding_id, State(lead["state"]))
        if decision.key is not None and decision.key in self._known_keys:
            return Noted(finding_id, before, before, False)
        if refusal := refuse_transition(finding_id, before, decision.state):
            return Noted(finding_id, before, None, False, refusal)
        self._enter(lead, decision)
        return Noted(finding_id, before, decision.state, True)

    def _enter(self, lead: dict[str, Any], decision: Decision) -> None:
        now = datetime.now(UTC)
        of_lead = ("finding_id", "rule", "citizen_id", "household_key", "period_from", "period_to")
        self.entries.append(
            {name: lead[name] for name in of_lead}
            | {
                "decision_number": self._number,
                "decision_key": decision.key,
                "state": str(decision.state),
                "dispatched_to": decision.dispatched_to,
                "decided_by": decision.by,
                "decided_on": decision.decided_on,
                "recorded_at": now,
                "why": decision.why,
                "origin": decision.origin,
            }
        )
        self._number += 1
        self._states[lead["finding_id"]] = decision.state
        if decision.key is not None:
            self._known_keys.add(decision.key)


def refuse_transition(finding_id: str, before: State, wanted: State) -> str | None:
    """Why a person may not lead a lead from one state to another, in one sentence; None: it is lawful."""
    if wanted in TRANSITIONS[before]:
        return None
    name = finding_id[:8]
    if before is State.CLOSED:
        return f"lead {name} was closed by a run because it no longer holds; it opens by itself when it holds again."
    if wanted is before or (wanted is State.CANDIDATE and before is State.NEEDS_IDENTITY_REVIEW):
        return f"lead {name} is {before} already."
    lawful = ", ".join(sorted(state for state in TRANSITIONS[before] if state is not State.CANDIDATE))
    then = f"it can become {lawful}" if lawful else "revoke that first (rongtong findings revoke)"
    return f"lead {name} is {before} and cannot become {wanted}; {then}."


def _write(connection: duckdb.DuckDBPyConnection, ledger: str, entries: list[dict[str, Any]]) -> None:
    if not entries:
        return
    types = json.dumps([LEDGER])
    try:
        # One statement is one transaction.
        connection.execute(
            f"INSERT INTO {ledger} BY NAME SELECT unnest(from_json(?::JSON, '{types}'), max_depth := 2)",
            [json.dumps(entries, default=str, ensure_ascii=False)],
        )
    except duckdb.IOException as error:
        raise WorklistUnusable(
            f"the ledger of the work-list cannot be written ({type(error).__name__}): nothing was noted;"
            " check the disk."
        ) from None


def note_access(home: Home, action: str, finding_ids: Sequence[str]) -> None:
    """Note who read names of leads: one line in ``worklist/access.jsonl``, never a value."""
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "user_id": os.getuid(),
        "action": f"findings {action}",
        "leads": len(finding_ids),
        "finding_ids": list(finding_ids)[:100],
    }
    file = home.private_folder(home.worklist) / ACCESS_LOG
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, (json.dumps(line) + "\n").encode())
    finally:
        os.close(handle)
