"""A run after a run: over the same deliveries it changes no lead; over new ones it says that it saw them again."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from case_book import build_with_dbt

WHOLE = "select * from findings.findings"
WITHOUT_RUN = "select * exclude (last_seen_run) from findings.findings"


@pytest.fixture
def published_before(built_work_file: Path, tmp_path: Path) -> Path:
    """The work file of a next run: its history is what the run before has built."""
    path = tmp_path / "work.duckdb"
    shutil.copy(built_work_file, path)
    with duckdb.connect(str(path)) as connection:
        for table, built in (("findings", "findings.findings"), ("deliveries", "golden.deliveries")):
            connection.execute(f"create or replace table history.{table} as from {built}")
    return path


def changed_rows(path: Path, rows: str) -> int:
    with duckdb.connect(str(path), read_only=True) as connection:
        before, after = rows.replace("findings.findings", "history.findings"), rows
        found = connection.execute(
            f"select count(*) from (({before} except all {after}) union all ({after} except all {before}))"
        ).fetchone()
        assert found is not None
        return int(found[0])


def test_a_run_over_the_same_deliveries_changes_no_row(published_before: Path, tmp_path: Path) -> None:
    build_with_dbt(published_before, tmp_path, run_id="run-3", select=("findings",))
    with duckdb.connect(str(published_before), read_only=True) as connection:
        states = {row[0] for row in connection.execute("select distinct state from findings.findings").fetchall()}
    assert {"candidate", "needs_identity_review", "confirmed", "rejected", "closed"} <= states
    assert changed_rows(published_before, WHOLE) == 0


def test_a_run_over_a_new_delivery_has_seen_every_lead_that_holds_again(published_before: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(published_before)) as connection:
        connection.execute("delete from history.deliveries")
    build_with_dbt(published_before, tmp_path, run_id="run-3", select=("findings",))
    assert changed_rows(published_before, WITHOUT_RUN) == 0
    with duckdb.connect(str(published_before), read_only=True) as connection:
        runs = connection.execute(
            "select distinct is_holding, last_seen_run = 'run-3' from findings.findings order by all"
        ).fetchall()
    assert runs == [(False, False), (True, True)]
