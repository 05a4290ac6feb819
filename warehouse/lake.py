"""The two lakes: how they are opened, who may write, and what protects the restricted one.

*Published* is a DuckLake under ``<home>/published``. Its catalog is a SQLite file in WAL mode with a single writer, or
PostgreSQL when ``RONGTONG_LAKE_CATALOG`` says ``postgres:host=... dbname=...``; ``sqlite:<path>`` names another file.

*Restricted* is a DuckLake under ``<home>/restricted`` with every Parquet file encrypted (AES-GCM, one key per file).
DuckLake keeps those keys, and each column's smallest and greatest value, in its catalog; so the catalog is an encrypted
DuckDB file. Its key is ``RONGTONG_RESTRICTED_KEY`` or, without it, the file ``<home>/restricted.key`` (0600, made on
first use), which lies outside the folder. What this protects: a copy, backup or disk that holds ``restricted/`` without
the key tells nothing but sizes and times. What it does not: whoever may read the key and the folder reads everything,
and a process that has the lake open holds the key in memory. Keep the key in a secret store in production.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb

from warehouse.duck import HELD_BY_ANOTHER, connect, load_extension
from warehouse.home import Home
from warehouse.lock import Held, take_lock
from warehouse.rooms import PUBLISHED, RESTRICTED, SCHEMA
from warehouse.thresholds import LOCK_WAIT_SECONDS

CATALOG_VARIABLE = "RONGTONG_LAKE_CATALOG"
KEY_VARIABLE = "RONGTONG_RESTRICTED_KEY"

NOTHING = "nothing is published here yet; rongtong run publishes."


class NothingPublished(LookupError):
    """No run has published anything in this home yet."""


class LakeUnusable(RuntimeError):
    """A lake cannot be opened; the message names the lake and what to mend, never a secret."""


class LakeBusy(RuntimeError):
    """Another writer holds this home's lakes."""


@dataclass(frozen=True)
class Snapshot:
    """One published state of all tables: its number in the lake, and the run that wrote it."""

    snapshot_id: int
    published_at: datetime
    run_id: str
    as_of: date
    verdict: str
    republished_snapshot_id: int | None = None


def data_folder(home: Home, lake: str) -> Path:
    """Where a lake's Parquet files lie."""
    return (home.restricted if lake == RESTRICTED else home.published) / "data"


def attach_published(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    read_only: bool = True,
    alias: str = PUBLISHED,
    version: int | None = None,
) -> None:
    """Attach the published lake as ``alias``, as it is now or in snapshot ``version``.

    Only a holder of ``single_writer`` may attach it for writing.

    Raises ``NothingPublished`` when it is to be read and does not exist, ``LakeUnusable`` when it cannot be opened.
    """
    catalog = os.environ.get(CATALOG_VARIABLE) or f"sqlite:{home.published / 'catalog.sqlite'}"
    kind, _, place = catalog.partition(":")
    options = []
    if kind == "sqlite":
        load_extension(connection, "sqlite_scanner")
        if read_only and not Path(place).exists():
            raise NothingPublished(NOTHING)
        # With SQLite's default journal a reader in an open transaction makes the writer's commit fail.
        options.append("META_JOURNAL_MODE 'WAL'")
    elif kind == "postgres":
        load_extension(connection, "postgres_scanner")
    else:
        raise LakeUnusable(f"{CATALOG_VARIABLE}: write sqlite:<path> or postgres:<connection string>.")
    if version is not None:
        options.append(f"SNAPSHOT_VERSION {version:d}")
    if not read_only:
        home.published.mkdir(parents=True, exist_ok=True)
    _attach(connection, PUBLISHED, alias, catalog, data_folder(home, PUBLISHED), options, read_only)


def attach_restricted(
    connection: duckdb.DuckDBPyConnection, home: Home, read_only: bool = True, alias: str = RESTRICTED
) -> None:
    """Attach the restricted lake as ``alias``; one process at a time may write it, and nobody reads meanwhile.

    Raises ``NothingPublished`` when it is to be read and does not exist, ``LakeUnusable`` when the key does not open
    it, ``LakeBusy`` when another process holds it for too long.
    """
    catalog = home.restricted / "catalog.duckdb"
    if read_only and not catalog.exists():
        raise NothingPublished(NOTHING)
    if not read_only:
        home.private_folder(home.restricted)
        home.restricted.chmod(0o700)
    # Writing encrypted files needs httpfs, for its OpenSSL cipher; nothing is fetched.
    load_extension(connection, "httpfs")
    options = ["ENCRYPTED true", f"META_ENCRYPTION_KEY '{_restricted_key(home)}'"]
    _attach(connection, RESTRICTED, alias, f"duckdb:{catalog}", data_folder(home, RESTRICTED), options, read_only)


def _attach(
    connection: duckdb.DuckDBPyConnection,
    lake: str,
    alias: str,
    catalog: str,
    data: Path,
    options: list[str],
    read_only: bool,
) -> None:
    load_extension(connection, "ducklake")
    # The path of today, not the one that the catalog remembers: a home may be moved. Small changes go into files as
    # large ones do: no row of a person lies in a catalog.
    options = [*options, f"DATA_PATH '{_quoted(data)}/'", "OVERRIDE_DATA_PATH true", "DATA_INLINING_ROW_LIMIT 0"]
    if read_only:
        options.append("READ_ONLY")
    statement = f"ATTACH 'ducklake:{_quoted(catalog)}' AS {alias} ({', '.join(options)})"
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            connection.execute(statement)
            return
        except duckdb.IOException as error:
            # The restricted catalog is open in one process at a time: wait for that reader, or writer, to be done.
            if HELD_BY_ANOTHER not in str(error):
                raise _unusable(lake, data, "the file cannot be read or written") from None
            if time.monotonic() > deadline:
                raise LakeBusy(f"the {lake} lake is open in another process; close it and try again.") from None
            time.sleep(0.2)
        except duckdb.Error as error:
            # The engine's own text quotes the connection string, password included.
            if "creating a new DuckLake is explicitly disabled" in str(error):
                raise NothingPublished(NOTHING) from None
            wrong_key = "encryption key" in str(error)
            raise _unusable(lake, data, "the key is wrong" if wrong_key else type(error).__name__) from None


def _unusable(lake: str, data: Path, reason: str) -> LakeUnusable:
    mend = KEY_VARIABLE if lake == RESTRICTED else CATALOG_VARIABLE
    return LakeUnusable(f"the {lake} lake cannot be opened ({reason}); check {mend} and {data.parent}.")


def _restricted_key(home: Home) -> str:
    if key := os.environ.get(KEY_VARIABLE):
        return _quoted(key)
    path = home.root / "restricted.key"
    if not path.exists():
        if (home.restricted / "catalog.duckdb").exists():
            raise LakeUnusable(f"the key of the restricted lake is gone; set {KEY_VARIABLE} or restore {path}.")
        home.private_folder(home.root)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
    return _quoted(path.read_text(encoding="ascii").strip())


def _quoted(text: object) -> str:
    return str(text).replace("'", "''")


@contextmanager
def single_writer(home: Home) -> Iterator[None]:
    """Hold the one right to write this home's lakes; the system releases it when the process ends, however it ends.

    Raises ``LakeBusy`` when another writer holds it for longer than ``LOCK_WAIT_SECONDS``.
    """
    with ExitStack() as held:
        try:
            held.enter_context(take_lock(home.private_folder(home.root) / "lake.lock", LOCK_WAIT_SECONDS))
        except Held:
            raise LakeBusy(f"another process writes the lakes of {home.root}; try again later.") from None
        yield


@contextmanager
def open_published(home: Home, *, read_only: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the published lake attached as ``published``."""
    with connect(extensions=["icu"]) as connection:
        attach_published(connection, home, read_only)
        yield connection


@contextmanager
def open_restricted(home: Home, *, read_only: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the restricted lake attached as ``restricted``."""
    with connect(extensions=["icu"]) as connection:
        attach_restricted(connection, home, read_only)
        yield connection


def snapshots_of(connection: duckdb.DuckDBPyConnection, alias: str) -> list[Snapshot]:
    """Every snapshot that a run has written into the attached lake and that has not expired, oldest first."""
    rows = connection.execute(
        f"SELECT snapshot_id, snapshot_time, commit_extra_info FROM ducklake_snapshots('{alias}')"
        " WHERE commit_extra_info IS NOT NULL ORDER BY snapshot_id"
    ).fetchall()
    found = []
    for snapshot_id, published_at, extra in rows:
        info = json.loads(extra)
        found.append(
            Snapshot(
                snapshot_id,
                published_at,
                info["run_id"],
                date.fromisoformat(info["as_of"]),
                info["verdict"],
                info.get("republished_snapshot_id"),
            )
        )
    return found


def tables_of(connection: duckdb.DuckDBPyConnection, alias: str) -> list[str]:
    """Names of the published tables that exist in the attached lake."""
    rows = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_catalog = ? AND table_schema = ? ORDER BY ALL",
        [alias, SCHEMA],
    ).fetchall()
    return [row[0] for row in rows]
