"""What published tables and columns mean, kept in the lake beside them: any tool that reads the lake shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from warehouse.rooms import SCHEMA


@dataclass(frozen=True)
class Meaning:
    """What one row of a table is, and what each column says."""

    table: str
    columns: Mapping[str, str]


def write_comments(connection: duckdb.DuckDBPyConnection, lake: str, meanings: Mapping[str, Meaning]) -> int:
    """Comment the tables of ``lake`` and their columns where the comment is another yet; return how many were.

    Inside the transaction that the caller has begun, for a comment is a change of the lake like any other. Tables and
    columns that ``meanings`` does not name keep what they have.
    """
    where = [lake, SCHEMA]
    tables = connection.execute(
        "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = ? AND schema_name = ?", where
    ).fetchall()
    columns = connection.execute(
        "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE database_name = ? AND schema_name = ?",
        where,
    ).fetchall()
    wanted = [
        (f"TABLE {lake}.{SCHEMA}.{table}", meanings[table].table, comment)
        for table, comment in tables
        if table in meanings
    ] + [
        (f'COLUMN {lake}.{SCHEMA}.{table}."{column}"', meanings[table].columns[column], comment)
        for table, column, comment in columns
        if table in meanings and column in meanings[table].columns
    ]
    fresh = [(place, text) for place, text, comment in wanted if text != comment]
    for place, text in fresh:
        connection.execute(f"COMMENT ON {place} IS '{text.replace(chr(39), chr(39) * 2)}'")
    return len(fresh)
