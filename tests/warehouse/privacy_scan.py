"""Look for values of people where none may be: in the bytes of every file, and in every column of every table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from warehouse.home import Home
from warehouse.lake import open_published, tables_of
from warehouse.rooms import PUBLISHED, SCHEMA


def files_with(folder: Path, values: Iterable[str]) -> dict[Path, list[str]]:
    """Files below ``folder`` whose bytes hold one of ``values`` as UTF-8 or UTF-16, with the values found.

    Compressed pages hide text from this look at bytes: scan the columns too.
    """
    needles = [(value, (value.encode(), value.encode("utf-16-le"))) for value in values]
    found: dict[Path, list[str]] = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        if hits := [value for value, forms in needles if any(form in content for form in forms)]:
            found[file] = hits
    return found


def columns_with(connection: duckdb.DuckDBPyConnection, relation: str, values: Iterable[str]) -> dict[str, int]:
    """Columns of ``relation`` in which a row contains one of ``values``, with the number of such rows."""
    connection.execute("CREATE OR REPLACE TEMP TABLE personal (value VARCHAR)")
    connection.execute("INSERT INTO personal SELECT DISTINCT unnest(?::VARCHAR[])", [list(values)])
    found = {}
    for column, *_ in connection.execute(f"DESCRIBE {relation}").fetchall():
        row = connection.execute(
            f'SELECT count(*) FROM {relation} AS t WHERE "{column}" IS NOT NULL AND EXISTS'
            f' (SELECT 1 FROM personal AS p WHERE contains(CAST(t."{column}" AS VARCHAR), p.value))'
        ).fetchone()
        assert row is not None
        if row[0]:
            found[column] = row[0]
    return found


def personal_values_published(home: Home, values: Iterable[str]) -> dict[str, object]:
    """Everything of ``values`` that the published lake of ``home`` tells, by file and by ``<table>.<column>``."""
    values = list(values)
    found: dict[str, object] = {str(file): hits for file, hits in files_with(home.published, values).items()}
    with open_published(home) as connection:
        for table in tables_of(connection, PUBLISHED):
            relation = f"{PUBLISHED}.{SCHEMA}.{table}"
            for column, rows in columns_with(connection, relation, values).items():
                found[f"{table}.{column}"] = rows
    return found
