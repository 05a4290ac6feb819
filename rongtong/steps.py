"""The steps of a run, in the order of the street. The command line and the DAGs call these and nothing else.

A step takes a home and a run id, does one room's work, and leaves the next room a finished work file. A step that
cannot do its work raises one of ``FORESEEN``, whose text is one sentence for a person.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.markup import escape

from expectations.gate import GateFailed, audit
from expectations.report import REPORT_FILE, render_text
from identity.citizen_id import LedgerUnusable
from identity.mention import MentionsUnusable
from identity.model import ModelUnusable
from identity.resolve import resolve
from ingest.connection import Connection
from ingest.contract import SHADOW, ContractError
from ingest.corrections import CORRECTIONS
from ingest.errors import SourceError
from ingest.land import LandingResult, land
from ingest.landing import create_views
from ingest.landing_folder import LandingFolder
from ingest.receipt import REFUSED, REPLAYED
from ingest.registry import contracts
from ingest.replay import replay
from rongtong.console import ProgressCallback, Reporter, complain
from rongtong.day import run as day
from rongtong.dbt_room import RoomFailed, build_room
from rongtong.meanings import read_meanings
from warehouse import duck, history, retention, worklist
from warehouse.difference import CandidateUnusable
from warehouse.home import Home
from warehouse.lake import LakeBusy, LakeUnusable, NothingPublished, Snapshot
from warehouse.publish import PublicationFailed, PublicationRefused, publish
from warehouse.run import RunRecord, RunState, begin_run, finish_run, note_linked, read_run, runs
from warehouse.verdict import Verdict, read_verdict
from warehouse.worklist import WorklistUnusable

CITY_TIME = ZoneInfo("Asia/Shanghai")
KEPT_RUN_FOLDERS = 5
SENTENCES_SHOWN = 3
FORESEEN = (
    RoomFailed,
    GateFailed,
    ContractError,
    MentionsUnusable,
    ModelUnusable,
    LedgerUnusable,
    CandidateUnusable,
    LakeUnusable,
    LakeBusy,
    PublicationFailed,
    WorklistUnusable,
)


def today() -> date:
    """Today in the city."""
    return datetime.now(CITY_TIME).date()


def parse_day(text: str) -> date:
    """``YYYY-MM-DD``. Raises ``ValueError`` for anything else."""
    return datetime.strptime(text, "%Y-%m-%d").date()


def land_source(
    home: Home, name: str, uri: str | None, progress: ProgressCallback | None = None, *, reconcile: bool = False
) -> LandingResult:
    """Land one source through the connection ``uri`` (none: from the environment).

    ``reconcile``: read everything and compare all keys now, whenever that would be due.
    Rows that an owner corrected before are corrected again where the same faulty row came again. What is wrong comes
    back as ``error`` of the result, one sentence; nothing of a failed landing is visible.
    """
    try:
        connection = Connection.from_environment(name) if uri is None else Connection.from_uri(name, uri)
    except SourceError as error:
        return LandingResult(name, load_id=None, error=str(error))
    result = land(name, connection, home, progress=progress, reconcile=reconcile)
    if result.error is None and (home.landing / name / CORRECTIONS).exists():
        replay(home, name)
    return result


def land_sources(home: Home, names: list[str], reporter: Reporter, *, reconcile: bool = False) -> list[LandingResult]:
    """Land each source; one that fails is complained about and does not stop the others."""
    results: list[LandingResult] = []
    for name in names:
        with reporter.step(f"landing {name}", ended_well=lambda: not results[-1].error) as progress:
            results.append(land_source(home, name, None, progress, reconcile=reconcile))
        result = results[-1]
        if result.error:
            complain(result.error)
        for sentence in _worth_reading(result):
            reporter.say(f"  {escape(sentence)}")
    return results


def _worth_reading(result: LandingResult) -> list[str]:
    """What a person should know of a landing that went well: refused deliveries, unknown columns; the first of many."""
    sentences = [receipt.reason for receipt in result.receipts if receipt.state == REFUSED and receipt.reason]
    sentences += [
        f"{receipt.delivery_id}: {notice}"
        for receipt in result.receipts
        if receipt.rows_read > 0 or receipt.district is None
        for notice in receipt.notices
    ]
    shown = sentences[:SENTENCES_SHOWN]
    more = len(sentences) - len(shown)
    return shown + ([f'and {more:,} more; rongtong sql "FROM deliveries" has them once published.'] if more else [])


def begin(home: Home, as_of: date) -> str:
    """Begin a run for the day ``as_of`` and return its id."""
    return begin_run(home, as_of).run_id


@contextmanager
def _noting_failure(home: Home, run_id: str) -> Iterator[None]:
    """A step that stops leaves the run marked as failed, with the sentence why."""
    try:
        yield
    except FORESEEN as failure:
        finish_run(home, run_id, RunState.FAILED, reason=str(failure))
        raise


def _variables(home: Home, run_id: str) -> dict[str, Any]:
    shadows = [contract.source for contract in contracts() if contract.release == SHADOW]
    return {"as_of": read_run(home, run_id).as_of.isoformat(), "run_id": run_id, "shadow_sources": shadows}


def build_staging(home: Home, run_id: str, progress: ProgressCallback | None = None) -> None:
    """Open the work file, bring in the landing, the leads published before and what people did with them; clean all."""
    with _noting_failure(home, run_id):
        temp = home.run_folder(run_id) / "temp"
        note_linked(home, run_id, is_linked=False)
        # A retried step starts again from the landing.
        for leftover in (home.work_file(run_id), Path(f"{home.work_file(run_id)}.wal")):
            leftover.unlink(missing_ok=True)
        variables = _variables(home, run_id)
        day.begin_work_file(home, run_id, variables)
        with duck.connect(home.work_file(run_id), extensions=("icu", "json"), temp_folder=temp) as work:
            create_views(work, home)
            for table in ("findings", "deliveries"):
                history.copy_published_table_into(work, home, table, f"history.{table}")
            worklist.copy_decisions_into(work, home, "history.decisions")
        build_room("staging", home, run_id, variables, progress)


def resolve_citizens(home: Home, run_id: str, progress: ProgressCallback | None = None) -> None:
    """Decide who is who."""
    with _noting_failure(home, run_id):
        resolve(home.work_file(run_id), home, run_id, progress=progress)
        note_linked(home, run_id, is_linked=True)


def build_golden(home: Home, run_id: str, progress: ProgressCallback | None = None) -> str:
    """Build golden, from what the run before built where that stands; says which way was taken, and why."""
    with _noting_failure(home, run_id):
        return day.build_golden(home, run_id, _variables(home, run_id), progress)


def build_findings(home: Home, run_id: str, progress: ProgressCallback | None = None) -> str:
    """Build findings, figures and hand-overs; says which way was taken."""
    with _noting_failure(home, run_id):
        return day.build_findings(home, run_id, _variables(home, run_id), progress)


def audit_candidate(home: Home, run_id: str, progress: ProgressCallback | None = None) -> Verdict:
    """Judge the candidate; the verdict and its report are kept in the run's folder."""
    with _noting_failure(home, run_id):
        return audit(home.work_file(run_id), home, run_id, progress=progress)


def publish_snapshot(home: Home, run_id: str, progress: ProgressCallback | None = None) -> Snapshot | None:
    """Publish the candidate, or return None when its verdict does not allow it."""
    with _noting_failure(home, run_id):
        verdict = read_verdict(home, run_id)
        try:
            snapshot = publish(
                home.work_file(run_id),
                home,
                run_id,
                verdict,
                read_run(home, run_id).as_of,
                progress=progress,
                meanings=read_meanings(),
            )
        except PublicationRefused as refused:
            finish_run(home, run_id, RunState.REFUSED, reason=str(refused))
            return None
        finish_run(home, run_id, RunState.PUBLISHED, snapshot_id=snapshot.snapshot_id)
        return snapshot


def run_after_landing(home: Home, as_of: date, reporter: Reporter) -> dict[str, Any]:
    """Build, link, audit and publish in this process; returns what ``outcome_of`` returns."""
    run_id = begin(home, as_of)
    with reporter.step("cleaning every source (staging)") as progress:
        build_staging(home, run_id, progress)
    with reporter.step("deciding who is who (identity)") as progress:
        resolve_citizens(home, run_id, progress)
    with reporter.step("one truth per citizen (golden)") as progress:
        way = build_golden(home, run_id, progress)
    reporter.say(f"  {way}")
    with reporter.step("where two silos cannot both be right (findings)") as progress:
        build_findings(home, run_id, progress)
    with reporter.step("auditing the candidate (gate)") as progress:
        audit_candidate(home, run_id, progress)
    with reporter.step("publishing") as progress:
        publish_snapshot(home, run_id, progress)
    # What Airflow's maintenance does; nobody else would on a machine without it.
    remove_old_runs(home)
    expire_snapshots(home)
    outcome = outcome_of(home, run_id)
    assert outcome is not None
    return outcome


def outcome_of(home: Home, run_id: str) -> dict[str, Any] | None:
    """How a run ended: run_id, as_of, state, passed, verdict, snapshot_id, report, breaches. None while undecided."""
    record = read_run(home, run_id)
    if record.state not in (RunState.PUBLISHED, RunState.REFUSED):
        return None
    verdict = read_verdict(home, run_id)
    return {
        "run_id": run_id,
        "as_of": record.as_of.isoformat(),
        "state": str(record.state),
        "passed": record.state is RunState.PUBLISHED,
        "verdict": verdict.summary if verdict.passed else record.reason,
        "snapshot_id": record.snapshot_id,
        "report": str(home.run_folder(run_id) / REPORT_FILE),
        "breaches": render_text(verdict),
    }


def last_run(home: Home) -> RunRecord | None:
    """The newest run of this home."""
    known = runs(home)
    return known[-1] if known else None


def last_linked_run(home: Home) -> RunRecord | None:
    """The newest run whose work file is there and says who is who: of an ended one if there is any.

    What goes on may hold its file, and what failed early has a file that says nothing yet.
    """
    ended = (RunState.PUBLISHED, RunState.REFUSED)
    linked = [
        run for run in runs(home) if (run.is_linked or run.state in ended) and home.work_file(run.run_id).exists()
    ]
    return max(linked, key=lambda run: (run.state is not RunState.BUILDING, run.run_id), default=None)


def status(home: Home) -> dict[str, Any]:
    """What is published and how the last run ended, for people and programs."""
    try:
        snapshot = history.current_snapshot(home)
        published: dict[str, Any] | None = {
            "snapshot_id": snapshot.snapshot_id,
            "tables": history.published_counts(home),
        }
    except NothingPublished:
        published = None
    run = last_run(home)
    return {
        "home": str(home.root),
        "sources": _landing_state(home),
        "last_run": None
        if run is None
        else {
            "run_id": run.run_id,
            "as_of": run.as_of.isoformat(),
            "state": str(run.state),
            "reason": run.reason,
            "started_at": run.started_at.isoformat(),
            "finished_at": run.finished_at.isoformat() if run.finished_at else None,
            "last_written_at": _last_written(home, run).isoformat() if run.state is RunState.BUILDING else None,
        },
        "published": published,
    }


def _last_written(home: Home, run: RunRecord) -> datetime:
    """When a run last wrote to its folder: who was killed cannot say that it ended."""
    written = []
    for file in home.run_folder(run.run_id).iterdir():
        # A run that goes on removes files meanwhile.
        with suppress(FileNotFoundError):
            written.append(file.stat().st_mtime)
    return datetime.fromtimestamp(max(written, default=run.started_at.timestamp()), UTC)


def _landing_state(home: Home) -> dict[str, dict[str, Any]]:
    states = {}
    for contract in contracts():
        parts = LandingFolder(home, contract.source).parts()
        receipts = [receipt for part in parts for receipt in part.receipts if receipt.state != REPLAYED]
        states[contract.source] = {
            "deliveries": len(receipts),
            "rows_read": sum(receipt.rows_read for receipt in receipts),
            "rows_accepted": sum(receipt.rows_accepted for receipt in receipts),
            "rows_quarantined": sum(receipt.rows_quarantined for receipt in receipts),
            "rows_replaced": sum(receipt.rows_superseded + receipt.rows_duplicate for receipt in receipts),
            "deliveries_refused": sum(receipt.state == "refused" for receipt in receipts),
            "last_received_at": max((receipt.received_at for receipt in receipts), default=None),
        }
    return states


def expire_snapshots(home: Home) -> int:
    """Let snapshots older than the retention go; returns how many."""
    return retention.expire_snapshots(home)


def remove_old_runs(home: Home) -> int:
    """Remove the folders of all but the newest runs; their records stay in the published table ``runs``.

    The last run that says who is who stays too, however many failed after it: clerks work on it.
    """
    linked = last_linked_run(home)
    removed = [run for run in runs(home)[:-KEPT_RUN_FOLDERS] if linked is None or run.run_id != linked.run_id]
    for record in removed:
        shutil.rmtree(home.run_folder(record.run_id))
    return len(removed)
