"""Publish an invented candidate as if the gate had passed it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from invented_candidate import AS_OF, build_candidate, change

from warehouse.comments import Meaning
from warehouse.home import Home
from warehouse.lake import Snapshot
from warehouse.publish import publish
from warehouse.run import begin_run
from warehouse.verdict import CheckResult, Outcome, Verdict, fingerprint


def passing_verdict(work_file: Path, run_id: str) -> Verdict:
    """What the gate would say about a sound candidate."""
    result = CheckResult("citizens.table_exists", "citizens", None, "critical", Outcome.PASS, None, (), "It is there.")
    return Verdict(run_id, fingerprint(work_file), (result,))


def build_and_publish(home: Home, *changes: str, meanings: Mapping[str, Meaning] | None = None) -> Snapshot:
    """Build, change and publish one candidate in ``home``."""
    run_id = begin_run(home, AS_OF).run_id
    work_file = build_candidate(home.work_file(run_id), run_id)
    change(work_file, *changes)
    return publish(work_file, home, run_id, passing_verdict(work_file, run_id), AS_OF, meanings=meanings)
