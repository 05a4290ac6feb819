"""Real servers for the landing's tests: PostgreSQL from a wheel, MariaDB where one is named, an HTTP service."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import psycopg
import pytest
from owner_database import OwnerDatabase
from page_service import PageService

from ingest.landing import create_views
from simulation.systems.postgres import ADMIN, PostgresServer
from warehouse.duck import connect
from warehouse.home import Home

MYSQL_URL = os.environ.get("RONGTONG_TEST_MYSQL_URL", "")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("server") / "postgres").start()
    yield server
    server.stop()


@pytest.fixture
def registry_office(postgres: PostgresServer) -> OwnerDatabase:
    """An empty PostgreSQL database whose owner may be ordered about."""
    with psycopg.connect(postgres.uri("postgres", ADMIN), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS office WITH (FORCE)")
        connection.execute("CREATE DATABASE office TEMPLATE template0")
    return OwnerDatabase(
        "postgresql", postgres.uri("office", ADMIN), lambda statements: postgres.execute("office", statements)
    )


@pytest.fixture(params=["postgresql", "mysql"])
def owner_database(request: pytest.FixtureRequest) -> Iterator[OwnerDatabase]:
    """The same declaration against both kinds of server."""
    if request.param == "postgresql":
        yield request.getfixturevalue("registry_office")
        return
    if not MYSQL_URL:
        pytest.skip("RONGTONG_TEST_MYSQL_URL names no MySQL or MariaDB server")
    address, name = urlsplit(MYSQL_URL), f"rongtong_test_{os.getpid()}"
    server = connect(extensions=["mysql_scanner"])
    server.execute(
        f"ATTACH 'host={address.hostname} port={address.port} user={address.username} "
        f"{f'password={address.password}' if address.password else ''}' AS server (TYPE mysql)"
    )

    def execute(statements: str) -> None:
        for statement in filter(str.strip, statements.split(";")):
            server.execute("CALL mysql_execute('server', ?)", [statement])

    execute(f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4")
    owner = connect(extensions=["mysql_scanner"])
    owner.execute(
        f"ATTACH 'host={address.hostname} port={address.port} user={address.username} database={name} "
        f"{f'password={address.password}' if address.password else ''}' AS server (TYPE mysql)"
    )

    def execute_inside(statements: str) -> None:
        for statement in filter(str.strip, statements.split(";")):
            owner.execute("CALL mysql_execute('server', ?)", [statement])

    yield OwnerDatabase("mysql", f"{MYSQL_URL.rstrip('/')}/{name}", execute_inside)
    owner.close()
    execute(f"DROP DATABASE {name}")
    server.close()


@pytest.fixture
def pages() -> Iterator[PageService]:
    with PageService() as service:
        yield service


@pytest.fixture
def look(home: Home) -> Iterator[Callable[..., duckdb.DuckDBPyConnection]]:
    """Opens the landing as the next room sees it now."""
    opened: list[duckdb.DuckDBPyConnection] = []

    def open_landing(sources: Path | None = None) -> duckdb.DuckDBPyConnection:
        connection = connect(extensions=("icu", "json"))
        opened.append(connection)
        if sources is None:
            create_views(connection, home)
        else:
            create_views(connection, home, sources)
        return connection

    yield open_landing
    for connection in opened:
        connection.close()
