"""Read what is published: snapshots, queries, exports; and publish an old snapshot again (roll back)."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from warehouse.as_of import AS_OF, as_of_macros, known_at
from warehouse.difference import difference
from warehouse.duck import connect
from warehouse.home import Home
from warehouse.lake import (
    NOTHING,
    NothingPublished,
    Snapshot,
    attach_published,
    attach_restricted,
    data_folder,
    open_published,
    single_writer,
    snapshots_of,
    tables_of,
)
from warehouse.publish import Commit, write_lake
from warehouse.rooms import PUBLISHED, RECORD_KEYS, RECORDS, RESTRICTED, ROOMS, SCHEMA, room, rooms_of

# Table functions that only compute, or read published tables. Every other one reaches files, databases or other SQL.
HARMLESS_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"}) | AS_OF.keys()


class QueryRefused(ValueError):
    """A query that is no single SELECT over the published tables, or that the engine does not understand."""


class SnapshotUnknown(LookupError):
    """No snapshot of that number exists any more in both lakes."""


def snapshots(home: Home) -> list[Snapshot]:
    """Every snapshot that can be queried, oldest first; empty when nothing is published."""
    try:
        with open_published(home) as connection:
            return snapshots_of(connection, PUBLISHED)
    except NothingPublished:
        return []


def current_snapshot(home: Home) -> Snapshot:
    """The snapshot that readers see now. Raises ``NothingPublished``."""
    found = snapshots(home)
    if not found:
        raise NothingPublished(NOTHING)
    return found[-1]


def published_counts(home: Home) -> dict[str, int]:
    """Rows of each published table in the current snapshot; empty when nothing is published."""
    try:
        with open_published(home) as connection:
            connection.execute("BEGIN")
            tables = tables_of(connection, PUBLISHED)
            return {table: _count(connection, f"{PUBLISHED}.{SCHEMA}.{table}") for table in tables}
    except NothingPublished:
        return {}


def copy_published_table_into(work_connection: duckdb.DuckDBPyConnection, home: Home, table: str, target: str) -> int:
    """Create ``target`` in an open database as a copy of the current published ``table``; return its rows.

    It always has the columns that the table's contract declares: with nothing published it is empty, and a column that
    the published table does not have yet is null. ``target`` may name a schema, which is created.
    """
    declared = room(table).columns
    if "." in target:
        work_connection.execute(f"CREATE SCHEMA IF NOT EXISTS {target.rpartition('.')[0]}")
    alias = "published_before"
    try:
        attach_published(work_connection, home, alias=alias)
    except NothingPublished:
        return _create_empty(work_connection, target, declared)
    try:
        if table not in tables_of(work_connection, alias):
            return _create_empty(work_connection, target, declared)
        source = f"{alias}.{SCHEMA}.{table}"
        present = {row[0] for row in work_connection.execute(f"DESCRIBE {source}").fetchall()}
        absent = "".join(f", CAST(NULL AS {kind}) AS {name}" for name, kind in declared.items() if name not in present)
        work_connection.execute(f"CREATE OR REPLACE TABLE {target} AS SELECT *{absent} FROM {source}")
        return _count(work_connection, target)
    finally:
        work_connection.execute(f"DETACH {alias}")


def _create_empty(connection: duckdb.DuckDBPyConnection, target: str, columns: dict[str, str]) -> int:
    declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    connection.execute(f"CREATE OR REPLACE TABLE {target} ({declared})")
    return 0


def export(home: Home, folder: Path) -> list[Path]:
    """Write every published table as ``<table>.parquet`` into ``folder``, all of one snapshot; return the files.

    Each file appears whole under its name; when anything fails, files of an earlier export stay as they were.
    Raises ``NothingPublished``; ``OSError`` when the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[tuple[Path, Path]] = []
    try:
        with open_published(home) as connection:
            # One transaction, one snapshot: a publication meanwhile is not seen.
            connection.execute("BEGIN")
            if not snapshots_of(connection, PUBLISHED):
                raise NothingPublished(NOTHING)
            for table in tables_of(connection, PUBLISHED):
                part = folder / f".{table}.{os.getpid()}.part"
                parts.append((part, folder / f"{table}.parquet"))
                _copy(connection, table, part)
        for part, file in parts:
            os.replace(part, file)
    finally:
        for part, _ in parts:
            part.unlink(missing_ok=True)
    return [file for _, file in parts]


def _copy(connection: duckdb.DuckDBPyConnection, table: str, part: Path) -> None:
    keys = RECORD_KEYS.get(table) or room(table).key
    place = str(part).replace("'", "''")
    try:
        rows = f"FROM {PUBLISHED}.{SCHEMA}.{table} ORDER BY {', '.join(keys)}"
        connection.execute(f"COPY ({rows}) TO '{place}' (FORMAT parquet, COMPRESSION zstd)")
    except duckdb.IOException as error:
        raise OSError(None, "the disk is full or the folder cannot be written to", str(part)) from error


def query(home: Home, sql: str, known: datetime | None = None) -> duckdb.DuckDBPyConnection:
    """Run one SELECT over the published tables (schema ``civil`` is on the search path); fetch from what is returned.

    ``known``: over the snapshot that readers saw at that moment. ``citizens_as_of(DATE '…')`` and its like ask what was
    true on a day (``as_of.py``).

    Read-only in four ways: the statement must be one SELECT; the lake is attached read-only; the engine may open no
    file but the lake's own and its settings are locked; and table functions are limited to those that only compute,
    because the scanners of other databases do not ask the engine before they open a file.
    Raises ``NothingPublished``, and ``QueryRefused`` with one sentence.
    """
    connection = connect(extensions=["icu"])
    try:
        _demand_select(connection, sql)
        attach_published(connection, home)
        found = snapshots_of(connection, PUBLISHED)
        if not found:
            raise NothingPublished(NOTHING)
        if known is not None:
            connection.execute(f"DETACH {PUBLISHED}")
            attach_published(connection, home, version=known_at(found, known).snapshot_id)
        connection.execute(f"USE {PUBLISHED}.{SCHEMA}")
        for macro in as_of_macros(tables_of(connection, PUBLISHED)):
            connection.execute(macro)
        connection.execute("SET python_enable_replacements = false")
        folder = str(data_folder(home, PUBLISHED)).replace("'", "''")
        connection.execute(f"SET allowed_directories = ['{folder}/']")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        return connection.execute(sql)
    except duckdb.Error as error:
        connection.close()
        raise QueryRefused(f"the query cannot be answered: {_first_line(error)}") from None
    except (NothingPublished, QueryRefused):
        connection.close()
        raise


def _demand_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryRefused("only one SELECT at a time can be asked; published tables change by publishing alone.")
    row = connection.execute("SELECT json_serialize_sql(?)", [statements[0].query]).fetchone()
    assert row is not None
    tree = json.loads(row[0])
    if tree.get("error"):
        raise QueryRefused("only a SELECT can be asked; columns are listed in information_schema.columns.")
    if strange := sorted(_table_functions(tree) - HARMLESS_TABLE_FUNCTIONS):
        raise QueryRefused(f"the table function {strange[0]} reaches beyond the published tables and is not allowed.")


def _table_functions(node: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(node, dict):
        if node.get("type") == "TABLE_FUNCTION":
            found.add(str(node["function"].get("function_name", "")).lower())
        for value in node.values():
            found |= _table_functions(value)
    elif isinstance(node, list):
        for value in node:
            found |= _table_functions(value)
    return found


def _first_line(error: duckdb.Error) -> str:
    return str(error).strip().splitlines()[0]


def republish(home: Home, snapshot_id: int, run_id: str) -> Snapshot:
    """Roll back: publish the tables of an old snapshot again as a new one, under the id of a new run.

    Readers that look at a number see it unchanged; nothing is taken out of history. Records (runs, quality results,
    change log) are not rolled back, they tell that this happened. Raises ``SnapshotUnknown``, ``PublicationFailed``.
    """
    with single_writer(home), connect(extensions=["icu"]) as connection:
        attach_published(connection, home, False)
        old = {snapshot.snapshot_id: snapshot for snapshot in snapshots_of(connection, PUBLISHED)}.get(snapshot_id)
        if old is None:
            raise SnapshotUnknown(f"snapshot {snapshot_id} does not exist or has expired; rongtong status lists them.")
        connection.execute(f"DETACH {PUBLISHED}")
        for lake, attach in ((RESTRICTED, attach_restricted), (PUBLISHED, attach_published)):
            attach(connection, home, False)
            _republish_lake(connection, lake, old, run_id)
            if lake == RESTRICTED:
                connection.execute(f"DETACH {lake}")
        return snapshots_of(connection, PUBLISHED)[-1]


def _republish_lake(connection: duckdb.DuckDBPyConnection, lake: str, old: Snapshot, run_id: str) -> None:
    versions = [s.snapshot_id for s in snapshots_of(connection, lake) if s.run_id == old.run_id]
    if not versions:
        raise SnapshotUnknown(f"the {lake} lake no longer holds run {old.run_id}; republish a younger one.")
    version = versions[-1]
    differences = []
    for published in rooms_of(lake):
        before = f"before_{published.name}"
        current = f"{lake}.{SCHEMA}.{published.name}"
        # A table of its own: the comparison numbers rows, which only tables have.
        try:
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {before} AS FROM {current} AT (VERSION => {version})")
        except duckdb.CatalogException:
            # Younger than that snapshot: back then it held nothing.
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {before} AS FROM {current} LIMIT 0")
        differences.append(difference(connection, published, before, lake))
    verdict = f"republished snapshot {old.snapshot_id} of run {old.run_id}: {old.verdict}"
    run: dict[str, Any] = dict.fromkeys(RECORDS["runs"]) | {
        "run_id": run_id,
        "as_of": old.as_of,
        "started_at": datetime.now(UTC),
        "finished_at": datetime.now(UTC),
        "state": "republished",
        "verdict": verdict,
        "republished_snapshot_id": old.snapshot_id,
    }
    records = {"runs": [run], "quality_results": []} if lake == PUBLISHED else {}
    write_lake(connection, lake, differences, Commit(run_id, old.as_of, verdict, records, old.snapshot_id))


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
    assert row is not None
    return int(row[0])


__all__ = [
    "ROOMS",
    "NothingPublished",
    "QueryRefused",
    "Snapshot",
    "SnapshotUnknown",
    "copy_published_table_into",
    "current_snapshot",
    "export",
    "published_counts",
    "query",
    "republish",
    "snapshots",
]
