"""Law 12: the extractor does not know the orchestrator, and imports point down the street."""

from __future__ import annotations

import subprocess
import sys

import pytest

from warehouse.home import PROJECT


@pytest.mark.parametrize(
    "door",
    ["ingest.land", "ingest.landing", "identity.resolve", "expectations.gate", "warehouse.publish", "rongtong.cli"],
)
def test_importing_a_door_does_not_import_airflow(door: str) -> None:
    program = f"import sys, {door}; sys.exit(any(name.split('.')[0] == 'airflow' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=False).returncode == 0


def test_import_layers_hold() -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout
