"""Where an old citizen id has gone: from redirect to redirect to the id that lives, today or as published on a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import duckdb

from warehouse.home import Home
from warehouse.lake import NOTHING, NothingPublished, Snapshot, open_published, snapshots_of
from warehouse.rooms import PUBLISHED, SCHEMA


class CitizenUnknown(LookupError):
    """No published citizen has, or had, this id; the message says what is known of it."""


@dataclass(frozen=True)
class Step:
    """One redirect: the id that was retired, where it went, why, and the run that did it."""

    old_citizen_id: str
    citizen_id: str
    reason: str
    run_id: str
    happened_at: datetime


@dataclass(frozen=True)
class Resolution:
    """The living id, the redirects that lead to it (none for an id that lives), and the snapshot that was asked."""

    asked: str
    citizen_id: str
    chain: tuple[Step, ...]
    snapshot_id: int
    as_of: date

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def resolve_citizen(home: Home, citizen_id: str, as_of: date | None = None) -> Resolution:
    """Follow the published redirects of ``citizen_id``.

    ``as_of``: as readers saw it when the newest run spoke of that day or an earlier one; default: the current snapshot.
    Raises ``NothingPublished``, also when nothing was published as of that day; ``CitizenUnknown``.
    """
    with open_published(home) as connection:
        every = snapshots_of(connection, PUBLISHED)
        if not every:
            raise NothingPublished(NOTHING)
        usable = [snapshot for snapshot in every if as_of is None or snapshot.as_of <= as_of]
        if not usable:
            raise NothingPublished(
                f"nothing was published as of {as_of}; the oldest snapshot speaks of {min(s.as_of for s in every)}."
            )
        # After a roll back the last one is what readers saw, though an older one may speak of a later day.
        snapshot = usable[-1]
        chain: list[Step] = []
        current = citizen_id
        while not _lives(connection, snapshot, current):
            step = _redirect(connection, snapshot, current)
            if step is None or step.citizen_id in {each.old_citizen_id for each in chain}:
                raise CitizenUnknown(_what_is_known(connection, usable, current, as_of))
            chain.append(step)
            current = step.citizen_id
        return Resolution(citizen_id, current, tuple(chain), snapshot.snapshot_id, snapshot.as_of)


def _rows(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, table: str, condition: str, values: Sequence[str]
) -> list[tuple[Any, ...]]:
    relation = f"{PUBLISHED}.{SCHEMA}.{table} AT (VERSION => {snapshot.snapshot_id})"
    return connection.execute(f"FROM {relation} {condition}", list(values)).fetchall()


def _lives(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, citizen_id: str) -> bool:
    return bool(_rows(connection, snapshot, "citizens", "SELECT 1 WHERE citizen_id = ?", [citizen_id]))


def _redirect(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, citizen_id: str) -> Step | None:
    rows = _rows(
        connection,
        snapshot,
        "citizen_redirects",
        "SELECT old_citizen_id, citizen_id, reason, run_id, happened_at WHERE old_citizen_id = ?"
        " ORDER BY happened_at DESC, run_id DESC LIMIT 1",
        [citizen_id],
    )
    return Step(*rows[0]) if rows else None


def _what_is_known(
    connection: duckdb.DuckDBPyConnection, usable: Sequence[Snapshot], citizen_id: str, as_of: date | None
) -> str:
    for snapshot in reversed(usable[:-1]):
        if _lives(connection, snapshot, citizen_id):
            return (
                f"citizen {citizen_id} is gone: last published by run {snapshot.run_id} as of {snapshot.as_of}, and no"
                " other citizen carries on its mentions."
            )
    when = "" if as_of is None else f" as of {as_of}"
    return f"no citizen {citizen_id} has been published{when}; ids are listed in the published table citizens."
