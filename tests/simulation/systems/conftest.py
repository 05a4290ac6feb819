"""Real servers, filled with a tiny invented city."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from quiet_habits import QUIET
from tiny_city import write_tiny_city

from simulation.systems.start import RunningSystems, start_systems


@pytest.fixture(scope="session")
def tiny_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_city(tmp_path_factory.mktemp("tiny") / "city")


@pytest.fixture(scope="session")
def running(tiny_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystems]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RONGTONG_DEMO_MYSQL_URL", raising=False)
        systems = start_systems(tiny_city, tmp_path_factory.mktemp("systems"), seed=11, habits=QUIET)
    with systems:
        yield systems
