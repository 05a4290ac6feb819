"""The production shape: the published lake's catalog in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from published_candidate import build_and_publish

from simulation.systems.postgres import ADMIN, PostgresServer
from warehouse import history
from warehouse.duck import connect
from warehouse.home import Home
from warehouse.lake import CATALOG_VARIABLE, LakeUnusable, NothingPublished, attach_published
from warehouse.retention import expire_snapshots


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = PostgresServer(tmp_path / "server").start()
    try:
        server.recreate_database("lake")
        place = psycopg.conninfo.conninfo_to_dict(server.uri("lake", ADMIN))
        dsn = " ".join(f"{key}={value}" for key, value in place.items())
        monkeypatch.setenv(CATALOG_VARIABLE, f"postgres:{dsn}")
        yield dsn
    finally:
        server.stop()


def test_the_catalog_may_lie_in_postgresql(home: Home, catalog: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NothingPublished):
        history.query(home, "SELECT 1")
    assert history.snapshots(home) == []
    assert history.published_counts(home) == {}
    assert expire_snapshots(home) == 0
    first = build_and_publish(home)
    second = build_and_publish(home, "DELETE FROM golden.citizens WHERE birth_year = 1935")
    assert history.snapshots(home) == [first, second]
    assert history.query(home, "SELECT count(*) FROM citizens").fetchall() == [(29,)]
    assert not (home.published / "catalog.sqlite").exists()
    with pytest.raises(history.QueryRefused):
        history.query(home, "FROM postgres_query('__ducklake_metadata_published', 'SELECT 1')")

    password = str(psycopg.conninfo.conninfo_to_dict(catalog)["password"])
    monkeypatch.setenv(CATALOG_VARIABLE, f"postgres:{catalog.replace('dbname=lake', 'dbname=nothing')}")
    with connect() as connection, pytest.raises(LakeUnusable) as unusable:
        attach_published(connection, home)
    assert password not in str(unusable.value)
    assert CATALOG_VARIABLE in str(unusable.value)
