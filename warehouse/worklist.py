"""The work-list: what people did with leads, kept in a ledger that is only ever appended to.

A lead's state is published by the run that saw it; what people did since lies over it at once and is taken in by the
next run. The ledger is one small database file under ``<home>/worklist``, for its owner only, because reasons may name
people. All entries of one call are written in one transaction: a process killed meanwhile leaves none of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import duckdb

from warehouse.home import Home
from warehouse.thresholds import LOCK_WAIT_SECONDS

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
        home.private_folder(home.worklist)
    elif not file.exists():
        declared = ", ".join(f"NULL::{kind} AS {name}" for name, kind in LEDGER.items())
        connection.execute(f"CREATE OR REPLACE TEMP TABLE no_decisions AS SELECT {declared} LIMIT 0")
        yield "no_decisions"
        return
    _attach(connection, str(file).replace("'", "''"), write)
    try:
        if write:
            file.chmod(0o600)
            declared = ", ".join(f"{name} {kind}" for name, kind in LEDGER.items())
            connection.execute(f"CREATE TABLE IF NOT EXISTS worklist.decisions ({declared})")
        yield "worklist.decisions"
    finally:
        connection.execute("DETACH worklist")


def _attach(connection: duckdb.DuckDBPyConnection, file: str, write: bool) -> None:
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            connection.execute(f"ATTACH '{file}' AS worklist{'' if write else ' (READ_ONLY)'}")
            return
        except duckdb.Error as error:
            if "Could not set lock" not in str(error):
                raise WorklistUnusable(
                    f"the ledger of the work-list cannot be opened ({type(error).__name__});"
                    f" check worklist/{LEDGER_FILE}."
                ) from None
            if time.monotonic() > deadline:
                raise WorklistUnusable(
                    "the ledger of the work-list is open in another process; close it and try again."
                ) from None
            time.sleep(0.1)
