"""Shapes are united from whatever staging has built: shadow sources stay out, a wrong shape stops the run by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from case_book import PROJECT, shapes


def unite(path: Path, folder: Path, **variables: object) -> subprocess.CompletedProcess[str]:
    """Build the unions of institutions and care visits."""
    environment = os.environ | {
        "RONGTONG_WORK_FILE": str(path),
        "RONGTONG_DBT_TARGET": str(folder / "target"),
        "RONGTONG_TEMP_FOLDER": str(folder / "temp"),
    }
    project = str(PROJECT / "dbt_project")
    arguments = ["run", "--select", "int_institutions__unioned", "int_care_visits__unioned", "--project-dir", project]
    arguments += [
        "--profiles-dir",
        project,
        "--log-path",
        str(folder / "logs"),
        "--vars",
        json.dumps(variables),
        "--quiet",
    ]
    program = "import sys; from dbt.cli.main import cli; cli(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def work_file(tmp_path: Path) -> Path:
    path = tmp_path / "work.duckdb"
    columns = ", ".join(f"{name} {kind}" for name, kind in shapes()["institutions"].items())
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema staging")
        for source in ("north", "south", "west"):
            connection.execute(f"create table staging.stg_{source}__institutions ({columns})")
            connection.execute(f"insert into staging.stg_{source}__institutions (institution_id) values ('{source}')")
        connection.execute("create table staging.stg_north__institutions__notes (note varchar)")
    return path


def test_shadow_sources_reach_nothing_and_an_absent_shape_is_empty(work_file: Path, tmp_path: Path) -> None:
    outcome = unite(work_file, tmp_path, as_of="2022-12-31", run_id="r", shadow_sources=["west"])
    assert outcome.returncode == 0, outcome.stdout
    with duckdb.connect(str(work_file), read_only=True) as connection:
        united = connection.execute("select institution_id from intermediate.int_institutions__unioned order by 1")
        assert united.fetchall() == [("north",), ("south",)]
        visits = connection.execute("select * from intermediate.int_care_visits__unioned")
        assert [column[0] for column in visits.description] == list(shapes()["care_visits"])
        assert visits.fetchall() == []


def test_a_staging_model_of_another_shape_stops_the_run_by_name(work_file: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(work_file)) as connection:
        connection.execute("alter table staging.stg_south__institutions rename column ownership to owner")
    outcome = unite(work_file, tmp_path, as_of="2022-12-31", run_id="r")
    assert outcome.returncode != 0
    assert "stg_south__institutions is not of the shape institutions: missing ownership, not in the shape owner" in (
        " ".join(outcome.stdout.split())
    )
