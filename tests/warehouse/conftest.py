"""Homes with invented candidates for the tests of the warehouse."""

from __future__ import annotations

import shutil
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


def build_and_publish(home: Home, *changes: str) -> Snapshot:
    """Build, change and publish one candidate in ``home``."""
    run_id = begin_run(home, AS_OF).run_id
    work_file = build_candidate(home.work_file(run_id), run_id)
    change(work_file, *changes)
    return publish(work_file, home, run_id, passing_verdict(work_file, run_id), AS_OF)


@pytest.fixture(scope="session")
def home_with_one_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Snapshot]:
    """A home to read from, or to copy, with the unchanged candidate published once."""
    home = Home(tmp_path_factory.mktemp("one-run") / "home")
    return home, build_and_publish(home)


@pytest.fixture
def publish_run(home: Home, home_with_one_run: tuple[Home, Snapshot]) -> Callable[..., Snapshot]:
    """Build, change and publish one candidate: ``publish_run("UPDATE …")``.

    The first publication of the unchanged candidate is a copy of one made before: a home may be moved.
    """

    def run_once(*changes: str) -> Snapshot:
        if not changes and not home.published.exists():
            template, snapshot = home_with_one_run
            shutil.copytree(template.root, home.root, dirs_exist_ok=True)
            return snapshot
        return build_and_publish(home, *changes)

    return run_once
