"""Homes with invented candidates for the tests of the warehouse."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from published_candidate import build_and_publish

from warehouse.comments import Meaning
from warehouse.home import Home
from warehouse.lake import Snapshot


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


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

    def run_once(*changes: str, meanings: Mapping[str, Meaning] | None = None) -> Snapshot:
        if not changes and meanings is None and not home.published.exists():
            template, snapshot = home_with_one_run
            shutil.copytree(template.root, home.root, dirs_exist_ok=True)
            return snapshot
        return build_and_publish(home, *changes, meanings=meanings)

    return run_once
