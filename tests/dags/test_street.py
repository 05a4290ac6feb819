"""The DAGs as Airflow sees them, and one real run of them to the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingest.registry import source_names
from rongtong.airflow_environment import airflow_environment
from rongtong.airflow_street import run_street
from simulation.city import build_city
from simulation.systems.start import start_systems
from warehouse.history import current_snapshot, published_counts
from warehouse.home import PROJECT, Home

LOOK = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
json.dump({
    "errors": bag.import_errors,
    "tasks": {name: sorted(dag.task_ids) for name, dag in bag.dags.items()},
    "waits": sorted(asset.name for asset in bag.dags["citizen_view"].timetable.asset_condition.objects),
    "as_of": bag.dags["citizen_view"].params["as_of"],
    "outlets": {name: [asset.name for task in dag.tasks for asset in task.outlets] for name, dag in bag.dags.items()},
}, open(sys.argv[2], "w"))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("airflow")
    subprocess.run(
        [sys.executable, "-c", LOOK, str(PROJECT / "dags"), str(folder / "seen.json")],
        env=os.environ | airflow_environment(Home(folder / "var")) | {"RONGTONG_AS_OF": "2026-01-20"},
        check=True,
        capture_output=True,
    )
    return json.loads((folder / "seen.json").read_text(encoding="utf-8"))


def test_every_dag_file_can_be_read(seen: Any) -> None:
    assert seen["errors"] == {}


def test_there_is_one_landing_dag_per_source_and_the_view_waits_for_all_of_them(seen: Any) -> None:
    landings = sorted(name for name in seen["tasks"] if name.startswith("land_"))
    assert landings == [f"land_{name}" for name in source_names()]
    assert seen["waits"] == sorted(name for landing in landings for name in seen["outlets"][landing])


def test_the_view_has_one_task_group_per_room_in_the_order_of_the_street(seen: Any) -> None:
    assert {task.partition(".")[0] for task in seen["tasks"]["citizen_view"]} == {
        "staging",
        "identity",
        "golden",
        "findings",
        "gate",
        "published",
    }


def test_the_view_speaks_of_the_day_that_the_street_was_started_with(seen: Any) -> None:
    assert seen["as_of"] == "2026-01-20"


def test_the_real_dags_publish_twice_and_a_dead_source_keeps_the_view_from_running(tmp_path: Path) -> None:
    facts = build_city(tmp_path / "city", persons=1_000, seed=3)
    home = Home(tmp_path / "var")
    with start_systems(tmp_path / "city", tmp_path / "systems", seed=3) as systems:
        first = list(run_street(home, systems.environment, str(facts.as_of)))
        assert first[-1] == {"event": "exit", "code": 0}, (home.airflow / "street.log").read_text()[-3000:]
        snapshot, counts = current_snapshot(home), published_counts(home)
        assert counts["citizens"] > 500

        second = list(run_street(home, systems.environment, str(facts.as_of)))
        assert second[-1]["code"] == 0
        assert current_snapshot(home).snapshot_id > snapshot.snapshot_id
        again = published_counts(home)
        growing = {"runs", "quality_results", "change_log", "deliveries"}
        assert {t: n for t, n in again.items() if t not in growing} == {
            t: n for t, n in counts.items() if t not in growing
        }

        dead = systems.environment | {"AIRFLOW_CONN_FUNERAL": "http://:token@127.0.0.1:1"}
        third = list(run_street(home, dead, str(facts.as_of)))
    assert third[-1]["code"] == 1
    sentences = [event["error"] for event in third if event.get("error")]
    assert len(sentences) == 1
    assert sentences[0].startswith("funeral:")
    states = {event["dag"]: event["state"] for event in third if event["event"] == "dag"}
    assert states["land_marriage"] == "success"
    assert "citizen_view" not in states
    tasks = {event["task"] for event in first if event["event"] == "task" and event["state"] == "success"}
    assert {"land_source", "staging.build_staging", "identity.resolve_citizens", "published.publish_snapshot"} <= tasks
