"""Publish an audited candidate: one transaction per lake, all tables or none.

Two lakes cannot commit as one. The restricted lake goes first: whoever holds a published finding must find its
evidence, and a citizen its statements; the other way round a process killed between the two commits would leave
published leads that nobody can verify. Evidence that is a moment ahead of the published tables harms nobody (it is
opened by citizen or finding), and the next publication mends it, because both lakes are compared with what they hold,
not with what they should hold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from warehouse.comments import Meaning, write_comments
from warehouse.difference import CandidateUnusable, Difference, difference
from warehouse.duck import connect
from warehouse.home import Home
from warehouse.lake import Snapshot, attach_published, attach_restricted, single_writer, snapshots_of, tables_of
from warehouse.rooms import PUBLISHED, RECORDS, RESTRICTED, ROOMS, SCHEMA, rooms_of
from warehouse.run import RunUnknown, read_run
from warehouse.verdict import Outcome, Verdict, candidate_fingerprint

Progress = Callable[[int, int | None, str], None]

AUTHOR = "rongtong"


class PublicationRefused(RuntimeError):
    """The candidate may not go out: no passing verdict, or a verdict on another candidate. Nothing was published."""


class PublicationFailed(RuntimeError):
    """The publication was undone by an error; the former snapshot stands."""


@dataclass(frozen=True)
class Commit:
    """What a publication says about itself: in the commit message, and in tables ``runs`` and ``quality_results``; and
    about its tables, in their comments.
    """

    run_id: str
    as_of: date
    verdict: str
    records: dict[str, list[dict[str, Any]]]
    republished_snapshot_id: int | None = None
    meanings: Mapping[str, Meaning] = field(default_factory=dict)

    @property
    def extra(self) -> str:
        """The machine-readable part of the commit message."""
        return json.dumps(
            {
                "run_id": self.run_id,
                "as_of": self.as_of.isoformat(),
                "verdict": self.verdict,
                "republished_snapshot_id": self.republished_snapshot_id,
            }
        )


def _silent(done: int, total: int | None, text: str) -> None:
    """Nobody listens."""


def publish(
    work_file: Path,
    home: Home,
    run_id: str,
    verdict: Verdict | None,
    as_of: date,
    progress: Progress | None = None,
    meanings: Mapping[str, Meaning] | None = None,
) -> Snapshot:
    """Publish the candidate in ``work_file`` as one snapshot and return it.

    ``meanings`` tells what the tables and their columns say; it is published with them.

    Publishing a run that is already published returns its snapshot and writes nothing: a task that was killed after its
    commit may be tried again. Raises ``PublicationRefused`` unless ``verdict`` passed for this run and this very
    candidate; ``PublicationFailed``, ``CandidateUnusable``, ``LakeUnusable`` or ``LakeBusy`` when it cannot be written.
    """
    if verdict is None:
        raise PublicationRefused(f"run {run_id}: there is no verdict; audit the candidate first.")
    if verdict.run_id != run_id:
        raise PublicationRefused(f"run {run_id}: the verdict is on run {verdict.run_id}; audit this candidate.")
    if not verdict.passed:
        raise PublicationRefused(f"run {run_id}: the gate {verdict.summary}; read the run's report.")
    report = progress or _silent
    with single_writer(home), connect(extensions=["icu"], temp_folder=home.run_folder(run_id) / "temp") as connection:
        connection.execute(f"ATTACH '{work_file}' AS work (READ_ONLY)")
        total = len(ROOMS) + 1
        report(0, total, "comparing the candidate with its verdict")
        if candidate_fingerprint(connection, "work") != verdict.fingerprint:
            raise PublicationRefused(
                f"run {run_id}: the candidate changed after the gate had judged it; audit it again."
            )
        done = 0
        commits = {
            RESTRICTED: Commit(run_id, as_of, verdict.summary, {}, meanings=meanings or {}),
            PUBLISHED: Commit(
                run_id,
                as_of,
                verdict.summary,
                _records(connection, home, run_id, verdict, as_of),
                meanings=meanings or {},
            ),
        }
        for lake, attach in ((RESTRICTED, attach_restricted), (PUBLISHED, attach_published)):
            attach(connection, home, False)
            if _snapshot_of(connection, lake, run_id) is None:
                differences = []
                for room in rooms_of(lake):
                    done += 1
                    report(done, total, f"comparing {room.name}")
                    differences.append(difference(connection, room, f"work.{room.relation}", lake))
                report(done, total, f"writing the {lake} lake")
                write_lake(connection, lake, differences, commits[lake])
            if lake == RESTRICTED:
                connection.execute(f"DETACH {lake}")
        snapshot = _snapshot_of(connection, PUBLISHED, run_id)
        assert snapshot is not None
        report(total, total, f"snapshot {snapshot.snapshot_id} is published")
        return snapshot


def write_lake(
    connection: duckdb.DuckDBPyConnection, lake: str, differences: Sequence[Difference], commit: Commit
) -> None:
    """Apply all differences, append the records and the change log, and commit: one transaction, one snapshot.

    Raises ``PublicationFailed`` (nothing is changed then) with a sentence that holds no value of a row.
    """
    base = _current(connection, lake)
    records = dict(commit.records) | {
        "change_log": [
            {"run_id": commit.run_id, "table_name": d.room.name, "inserted": d.inserted, "deleted": d.deleted}
            for d in differences
        ]
    }
    at_work = "the transaction"
    connection.execute("BEGIN")
    try:
        # Another machine's writer is not held by this home's lock: the differences are true of one snapshot only.
        if _current(connection, lake) != base:
            raise PublicationFailed(f"{lake}: somebody else published meanwhile; run it again.")
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {lake}.{SCHEMA}")
        existing = set(tables_of(connection, lake))
        for change in differences:
            at_work = change.room.name
            change.apply(connection)
        for table, rows in records.items():
            at_work = table
            _append(connection, lake, table, rows, existing)
        at_work = "what the tables mean"
        write_comments(connection, lake, commit.meanings)
        at_work = "the commit"
        connection.execute(
            f"CALL {lake}.set_commit_message(?, ?, extra_info => ?)",
            [AUTHOR, f"run {commit.run_id}: {commit.verdict}", commit.extra],
        )
        connection.execute("COMMIT")
    except duckdb.Error as error:
        _roll_back(connection)
        # The engine's text may quote a value.
        raise PublicationFailed(
            f"{lake}: {at_work} could not be written ({type(error).__name__}); the former snapshot stands."
        ) from None
    except PublicationFailed:
        _roll_back(connection)
        raise


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    # A failed COMMIT has ended the transaction already.
    try:
        connection.execute("ROLLBACK")
    except duckdb.TransactionException:
        return


def _append(
    connection: duckdb.DuckDBPyConnection, lake: str, table: str, rows: list[dict[str, Any]], existing: set[str]
) -> None:
    columns = RECORDS[table]
    target = f"{lake}.{SCHEMA}.{table}"
    if table not in existing:
        declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(f"CREATE TABLE {target} ({declared})")
    if not rows:
        return
    # One statement, one file: the rows travel as JSON.
    connection.execute(
        f"INSERT INTO {target} BY NAME SELECT unnest(from_json(?::JSON, '{json.dumps([columns])}'), max_depth := 2)",
        [json.dumps(rows, default=str, ensure_ascii=False)],
    )


def _current(connection: duckdb.DuckDBPyConnection, lake: str) -> int:
    row = connection.execute(f"SELECT max(snapshot_id) FROM ducklake_snapshots('{lake}')").fetchone()
    assert row is not None
    return int(row[0])


def _snapshot_of(connection: duckdb.DuckDBPyConnection, lake: str, run_id: str) -> Snapshot | None:
    for snapshot in reversed(snapshots_of(connection, lake)):
        if snapshot.run_id == run_id:
            return snapshot
    return None


def _records(
    connection: duckdb.DuckDBPyConnection, home: Home, run_id: str, verdict: Verdict, as_of: date
) -> dict[str, list[dict[str, Any]]]:
    try:
        started_at: datetime | None = read_run(home, run_id).started_at
    except RunUnknown:
        started_at = None
    counts = connection.execute(
        """
        SELECT
            (SELECT count(*) FROM work.golden.citizens),
            (SELECT count(*) FROM work.golden.citizen_mentions),
            (SELECT count(*) FROM work.findings.findings),
            count(*), sum(rows_read), sum(rows_accepted), sum(rows_quarantined),
            sum(rows_superseded), sum(rows_duplicate)
        FROM work.golden.deliveries
        """
    ).fetchone()
    assert counts is not None
    names = (
        "citizens",
        "mentions",
        "findings",
        "deliveries",
        "rows_read",
        "rows_accepted",
        "rows_quarantined",
        "rows_superseded",
        "rows_duplicate",
    )
    run = {
        "run_id": run_id,
        "as_of": as_of,
        "started_at": started_at,
        "finished_at": datetime.now(UTC),
        "state": "published",
        "verdict": verdict.summary,
        "fingerprint": verdict.fingerprint,
        "checks": len(verdict.results),
        "checks_not_passed": sum(result.outcome is not Outcome.PASS for result in verdict.results),
        "republished_snapshot_id": None,
    } | dict(zip(names, (int(count or 0) for count in counts), strict=True))
    results = [
        {
            "run_id": run_id,
            "check_id": result.check_id,
            "table_name": result.table,
            "column_name": result.column,
            "severity": result.severity,
            "outcome": result.outcome.value,
            "observed": result.observed,
            "message": result.message,
        }
        for result in verdict.results
    ]
    return {"runs": [run], "quality_results": results}


__all__ = [
    "CandidateUnusable",
    "Commit",
    "PublicationFailed",
    "PublicationRefused",
    "publish",
    "write_lake",
]
