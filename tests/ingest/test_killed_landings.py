"""A landing of all four sources killed at any moment: nothing half-visible is left, and the next one repairs itself."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.land import land
from ingest.landing import create_views
from ingest.registry import source_names
from simulation.city import build_city
from simulation.systems.start import start_systems
from warehouse.duck import connect
from warehouse.home import Home

# Says when it begins, so that every moment after that is one of the landing.
CHILD = """
import os, sys
from pathlib import Path
from ingest.land import land
from warehouse.home import Home
print("begins", flush=True)
for name in sys.argv[2:]:
    result = land(name, os.environ["AIRFLOW_CONN_" + name.upper()], Home(Path(sys.argv[1])))
    assert result.error is None, result.error
"""
# When and by which load a row came in is of the landing, not of the row.
OF_THE_LANDING = ("_landed_at", "_delivery_id", "_part")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("killed")
    build_city(folder / "city", persons=400, seed=8)
    with start_systems(folder / "city", folder / "systems", seed=8) as systems:
        yield systems


@pytest.fixture(scope="module")
def whole(city: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose landing nobody disturbed."""
    home = Home(tmp_path_factory.mktemp("whole"))
    land_all(city, home)
    return home.root


def land_all(city: Any, home: Home) -> None:
    for name in source_names():
        assert land(name, city.environment[f"AIRFLOW_CONN_{name.upper()}"], home).error is None


def contents(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all landing tables and of the quarantine, in an order of their own."""
    with connect(extensions=("icu", "json")) as connection:
        create_views(connection, Home(home))
        tables = [row[0] for row in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()]
        found = {}
        for table in sorted(set(tables) - {"deliveries"}):
            columns = [row[0] for row in connection.execute(f"DESCRIBE landing.{table}").fetchall()]
            kept = [f'"{name}"' for name in columns if name not in (*OF_THE_LANDING, "delivery_id", "first_seen_at")]
            found[table] = connection.execute(f"SELECT {', '.join(kept)} FROM landing.{table} ORDER BY ALL").fetchall()
    return found


def assert_nothing_is_half_visible(home: Path) -> None:
    with connect(extensions=("icu", "json")) as connection:
        create_views(connection, Home(home))
        unbalanced = connection.execute(
            "SELECT delivery_id FROM landing.deliveries WHERE rows_read <> rows_accepted + rows_quarantined"
            " + rows_superseded + rows_duplicate"
        ).fetchall()
        assert unbalanced == []
        waiting = connection.execute("SELECT count(*) FROM landing.quarantine").fetchone()
        said = connection.execute("SELECT coalesce(sum(rows_quarantined), 0) FROM landing.deliveries").fetchone()
        assert waiting == said


def kill_at(city: Any, home: Path, moment: float) -> int:
    """Land in a process of its own and kill it ``moment`` seconds after it began; its exit code."""
    environment = os.environ | city.environment
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home), *source_names()], env=environment, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begins\n"
        time.sleep(moment)
        child.send_signal(signal.SIGKILL)
        return child.wait()


@pytest.mark.parametrize(
    "moments", [pytest.param(3, id="three moments"), pytest.param(100, id="a hundred moments", marks=pytest.mark.heavy)]
)
def test_a_killed_landing_leaves_nothing_half_and_the_next_repairs_it(
    city: Any, whole: Path, tmp_path: Path, moments: int
) -> None:
    wanted = contents(whole)
    began = time.monotonic()
    land_all(city, Home(tmp_path / "timed"))
    # Somewhat longer than an undisturbed one: the last moments find it ended.
    length = (time.monotonic() - began) * 1.1
    draw = random.Random(20261126)
    killed = 0
    for turn in range(moments):
        home = tmp_path / f"home{turn}"
        killed += kill_at(city, home, draw.uniform(0, length)) == -signal.SIGKILL
        if home.exists():
            assert_nothing_is_half_visible(home)
        land_all(city, Home(home))
        assert_nothing_is_half_visible(home)
        assert contents(home) == wanted
    assert killed > moments / 2
