"""Homes with invented candidates for the tests of the warehouse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from invented_candidate import AS_OF, build_candidate, change

from warehouse.home import Home
from warehouse.lake import Snapshot
from warehouse.publish import publish
from warehouse.run import begin_run
from warehouse.verdict import CheckResult, Outcome, Verdict, fingerprint


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def passing_verdict(work_file: Path, run_id: str) -> Verdict:
    """What the gate would say about a sound candidate."""
    result = CheckResult("citizens.table_exists", "citizens", None, "critical", Outcome.PASS, None, (), "It is there.")
    return Verdict(run_id, fingerprint(work_file), (result,))


@pytest.fixture
def publish_run(home: Home) -> Callable[..., Snapshot]:
    """Build, change and publish one candidate: ``publish_run("UPDATE …", citizens=30)``."""

    def run_once(*changes: str, citizens: int = 30) -> Snapshot:
        run_id = begin_run(home, AS_OF).run_id
        work_file = build_candidate(home.work_file(run_id), run_id, citizens)
        change(work_file, *changes)
        return publish(work_file, home, run_id, passing_verdict(work_file, run_id), AS_OF)

    return run_once
