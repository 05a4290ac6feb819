"""Law 3: every row of an accepted delivery is in exactly one place, at every hop from owner to published view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest.registry import contracts


@pytest.fixture(scope="module")
def work(published: Any) -> Any:
    """The work file of the published run."""
    file = published.home / "runs" / published.first.json["run_id"] / "work.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        yield connection


def count(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


def test_every_row_read_is_accepted_quarantined_replaced_or_a_duplicate(work: Any) -> None:
    assert count(work, "SELECT count(*) FROM golden.deliveries") > 100
    astray = work.execute(
        "SELECT delivery_id FROM golden.deliveries"
        " WHERE rows_read <> rows_accepted + rows_quarantined + rows_superseded + rows_duplicate"
    ).fetchall()
    assert astray == []


def test_the_accepted_rows_are_the_rows_of_the_landing(work: Any) -> None:
    for contract in contracts():
        for entity in contract.entities:
            accepted = count(
                work,
                "SELECT coalesce(sum(rows_accepted), 0) FROM landing.deliveries"
                f" WHERE source_system = '{contract.source}' AND entity = '{entity.name}'",
            )
            assert accepted == count(work, f"SELECT count(*) FROM landing.{contract.source}__{entity.name}"), (
                entity.name
            )
            assert accepted > 0


@pytest.mark.parametrize(
    "table", ["registration", "elder", "ability_assessment", "institution", "bed_stay", "care_visit", "cremations"]
)
def test_every_record_of_the_owner_is_landed_or_in_quarantine(work: Any, city: Any, table: str) -> None:
    source = next(c.source for c in contracts() for entity in c.entities if entity.name == table)
    held = count(work, f"SELECT count(*) FROM '{Path(city.folder) / table}.parquet'")
    landed = count(work, f"SELECT count(*) FROM landing.{source}__{table}")
    waiting = count(work, f"SELECT count(*) FROM landing.quarantine WHERE entity = '{table}'")
    assert held == landed + waiting


def test_every_mention_is_published_once(work: Any) -> None:
    staged = count(work, "SELECT count(*) FROM intermediate.int_mentions__unioned")
    assert staged == count(work, "SELECT count(*) FROM golden.citizen_mentions")
    assert staged == count(work, "SELECT count(DISTINCT mention_key) FROM intermediate.int_mentions__unioned")
