"""A run after a run: over the same deliveries it changes no lead; over new ones it says that it saw them again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from rebuilt import Model, city_of, differences, publish, rebuild

NOW, BEFORE = "findings.findings", "history.findings"


@pytest.fixture
def published_before(built_work_file: Path, models: list[Model]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The city of a next run: its history is what the run before has built."""
    with city_of(built_work_file) as city:
        rebuild(city, models)
        city.execute(f"attach '{built_work_file}' as built (read_only)")
        assert differences(city, NOW, "built.findings.findings") == 0
        publish(city)
        yield city


def test_a_run_over_the_same_deliveries_changes_no_row(
    published_before: duckdb.DuckDBPyConnection, models: list[Model]
) -> None:
    rebuild(published_before, models, "run-3")
    states = {row[0] for row in published_before.execute(f"select distinct state from {NOW}").fetchall()}
    assert {"candidate", "needs_identity_review", "confirmed", "rejected", "closed"} <= states
    assert differences(published_before, NOW, BEFORE) == 0


def test_a_run_over_a_new_delivery_has_seen_every_lead_that_holds_again(
    published_before: duckdb.DuckDBPyConnection, models: list[Model]
) -> None:
    published_before.execute("delete from history.deliveries")
    rebuild(published_before, models, "run-3")
    assert differences(published_before, NOW, BEFORE, "last_seen_run") == 0
    runs = published_before.execute(
        f"select distinct is_holding, last_seen_run = 'run-3' from {NOW} order by all"
    ).fetchall()
    assert runs == [(False, False), (True, True)]
