"""A small demo city with its four systems running, and a home in which one run has been published."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rongtong.cli import main
from simulation.city import build_city, finalise_truth
from simulation.systems.start import RunningSystems, start_systems
from warehouse.home import PROJECT

PERSONS = 2_500
SEED = 23


@dataclass(frozen=True)
class City:
    """A running city: its folder (with the truth), its systems, and the day its findings speak of."""

    folder: Path
    systems: RunningSystems
    as_of: str

    @property
    def truth(self) -> Path:
        return self.folder / "truth"


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run_command(
    home: Path, *arguments: str, connections: dict[str, str] | None = None, project: Path = PROJECT, timeout: int = 600
) -> Ended:
    """Run the command line as a user does, in a process of its own, knowing only ``connections``."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_CONN_")}
    environment |= {"RONGTONG_HOME": str(home), "COLUMNS": "200"} | (connections or {})
    ended = subprocess.run(
        [sys.executable, "-m", "rongtong.cli", *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("city")
    facts = build_city(folder / "city", persons=PERSONS, seed=SEED)
    with start_systems(folder / "city", folder / "systems", seed=SEED) as systems:
        finalise_truth(folder / "city", systems.positions, folder / "city" / "truth")
        yield City(folder / "city", systems, str(facts.as_of))


@dataclass(frozen=True)
class Published:
    """A home after one published run, and what the command said."""

    home: Path
    first: Ended


@pytest.fixture(scope="session")
def published(city: City, tmp_path_factory: pytest.TempPathFactory) -> Published:
    home = tmp_path_factory.mktemp("home") / "var"
    first = run_command(home, "run", "--as-of", city.as_of, "--json", connections=city.systems.environment)
    assert first.code == 0, first.err[-3000:]
    return Published(home, first)


@pytest.fixture(scope="session")
def rongtong() -> Any:
    """The command line: ``rongtong(home, *arguments, connections=None, project=PROJECT)`` returns how it ended."""
    return run_command


@pytest.fixture
def rongtong_inside(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """The same inside this process, for many small questions: the program's start costs more than they do.

    ``rongtong_inside(home, *arguments, connections=None, width=200)``.
    """

    def run(home: Path, *arguments: str, connections: dict[str, str] | None = None, width: int = 200) -> Ended:
        with monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]:
                patch.delenv(name)
            for name, value in ({"RONGTONG_HOME": str(home), "COLUMNS": str(width)} | (connections or {})).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["rongtong", *arguments])
            capfd.readouterr()
            try:
                main()
                code: Any = 0
            except SystemExit as ended:
                code = ended.code or 0
            said = capfd.readouterr()
        return Ended(code, said.out, said.err)

    return run
