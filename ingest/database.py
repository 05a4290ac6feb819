"""Connector for databases: PostgreSQL and MySQL/MariaDB behind one declaration, read through DuckDB's scanners.

All tables of a source are read in one transaction, so they fit together. The check before it names what is wrong in one
sentence, and looks up the real type of every column, because a scanner would change some values silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from ingest.connection import SCANNERS, Connection
from ingest.contract import Contract, Entity
from ingest.errors import SourceError, similar_name
from ingest.judge import quote_name, quote_text
from warehouse.duck import load_extension

OWNER = "owner_database"
CONNECT_SECONDS = 15
POSTGRES_PORT, MYSQL_PORT = 5432, 3306
# What a connection may say besides host, user and database.
POSTGRES_OPTIONS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "options")
MYSQL_OPTIONS = ("ssl_mode", "ssl_ca", "ssl_cert", "ssl_key")
# Types that DuckDB's PostgreSQL scanner carries over without loss, and its own. Everything else is read as the server's
# own text: numeric would arrive as DOUBLE or lose NaN, and unknown types would fail.
SAFE_POSTGRES = {
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
    "character varying": "VARCHAR",
    "text": "VARCHAR",
}
# What information_schema.columns says, of the columns that we may read: that view takes the server twice the time.
POSTGRES_COLUMNS = """
    SELECT schema.nspname::text, relation.relname::text, attribute.attname::text,
        CASE WHEN base.typelem <> 0 AND base.typlen = -1 THEN 'ARRAY'
             WHEN base.typnamespace = 'pg_catalog'::regnamespace THEN format_type(base.oid, NULL)
             ELSE 'USER-DEFINED' END
    FROM pg_catalog.pg_class AS relation
    JOIN pg_catalog.pg_namespace AS schema ON schema.oid = relation.relnamespace
    JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = relation.oid
    JOIN pg_catalog.pg_type AS declared ON declared.oid = attribute.atttypid
    JOIN pg_catalog.pg_type AS base
        ON base.oid = CASE WHEN declared.typtype = 'd' THEN declared.typbasetype ELSE declared.oid END
    WHERE relation.relname IN ({names}) AND relation.relkind IN ('r', 'v', 'f', 'p')
        AND attribute.attnum > 0 AND NOT attribute.attisdropped
        AND schema.nspname NOT IN ('pg_catalog', 'information_schema')
        AND has_column_privilege(relation.oid, attribute.attnum, 'SELECT')
    ORDER BY attribute.attnum"""
# Types in which MySQL may hold a day that is none (0000-00-00, 2025-00-00): the scanner would make NULL of it.
MYSQL_DAYS = frozenset({"date", "datetime", "timestamp"})
ZERO_DATES = "zero_dates"


@dataclass(frozen=True)
class SourceTable:
    """Where an entity's rows are: schema, table, the owner's type of every column, and columns nobody agreed on.

    ``zero_dates``: fields in which some row holds a day that is none (``find_zero_dates``).
    """

    entity: Entity
    schema: str
    table: str
    types: Mapping[str, str]
    extra_columns: tuple[str, ...]
    zero_dates: tuple[str, ...] = ()


class TableChanged(SourceError):
    """A table lacks a column that the contract requires, or a column's type changed: its delivery is refused."""

    def __init__(self, source: str, entity: str, place: str, mend: str) -> None:
        super().__init__(source, place, mend)
        self.entity = entity


class SourceDatabase:
    """An attached, read-only database of an owner. ``attach`` first; then ``find_tables`` and ``select``."""

    def __init__(self, duck: duckdb.DuckDBPyConnection, contract: Contract, connection: Connection) -> None:
        self._duck = duck
        self._contract = contract
        self._connection = connection

    def attach(self) -> None:
        """Connect. Raises ``SourceError``: server down, unknown host, wrong password, no such database."""
        if self._connection.kind not in SCANNERS:
            raise SourceError(
                self._contract.source,
                f"the connection is of type {self._connection.kind}",
                "a database source needs postgresql:// or mysql://",
            )
        # No work where the engine was opened with it.
        load_extension(self._duck, SCANNERS[self._connection.kind])
        if self._connection.kind == "mysql":
            self._duck.execute("SET mysql_tinyint1_as_boolean = false")
            self._duck.execute("SET mysql_bit1_as_boolean = false")
            # Else one day 00 would stop the extract; find_zero_dates brings the day as it was typed.
            self._duck.execute("SET mysql_incomplete_dates_as_nulls = true")
        try:
            self._duck.execute(f"CREATE OR REPLACE TEMPORARY SECRET {OWNER} ({self._secret()})")
            self._duck.execute(
                f"ATTACH '{self._options()}' AS {OWNER} (TYPE {self._connection.kind}, SECRET {OWNER}, READ_ONLY)"
            )
        except (duckdb.Error, UnicodeDecodeError) as error:
            if self._connection.kind == "postgres":
                # DuckDB's own message would carry the password; the driver's state tells what is wrong.
                self._try_postgres()
            raise self._explain(str(error)) from None

    def _secret(self) -> str:
        connection = self._connection
        said = {
            "HOST": connection.host or "127.0.0.1",
            "PORT": str(connection.port or (POSTGRES_PORT if connection.kind == "postgres" else MYSQL_PORT)),
            "DATABASE": connection.path or "",
            "USER": connection.login or "",
            "PASSWORD": connection.password or "",
        }
        texts = [f"{key} {quote_text(value)}" for key, value in said.items() if value]
        return ", ".join([f"TYPE {connection.kind}", *texts])

    def _options(self) -> str:
        """Settings of the connection besides the secret: encryption and time limits."""
        extra = self._connection.extra
        if self._connection.kind == "postgres":
            said = {"connect_timeout": str(CONNECT_SECONDS)} | _chosen(extra, POSTGRES_OPTIONS)
        else:
            said = _chosen(extra, MYSQL_OPTIONS)
        return " ".join(f"{key}={_conninfo(value)}" for key, value in said.items()).replace("'", "''")

    def _try_postgres(self) -> None:
        """Raises ``SourceError`` with what the server says to another driver, if it says no to that one too."""
        # Here, because a landing that goes well need not wait for a second driver.
        import psycopg
        from psycopg.conninfo import make_conninfo

        connection = self._connection
        said: dict[str, Any] = {
            "host": connection.host or "127.0.0.1",
            "port": connection.port or POSTGRES_PORT,
            "dbname": connection.path or connection.login or "postgres",
            "user": connection.login,
            "password": connection.password,
            "connect_timeout": CONNECT_SECONDS,
        }
        try:
            psycopg.connect(make_conninfo(**said, **_chosen(connection.extra, POSTGRES_OPTIONS))).close()
        except psycopg.Error as error:
            raise self._explain(str(error)) from None

    def _explain(self, text: str) -> SourceError:
        """What the server's message means, without quoting it: it may hold the password."""
        source, connection = self._contract.source, self._connection
        port = connection.port or (POSTGRES_PORT if connection.kind == "postgres" else MYSQL_PORT)
        server, variable = f"{connection.host or '127.0.0.1'}:{port}", f"AIRFLOW_CONN_{connection.conn_id.upper()}"
        # DuckDB puts the connection's parameters in front of what the server says.
        said = text.rsplit('": ', 1)[-1].lower()
        meanings = [
            (
                r"unknown database|database .* does not exist",
                f"the server {server} has no database {connection.path}",
                f"correct {variable}",
            ),
            (
                r"translate host|resolve|unknown (mysql )?server host|name or service",
                f"the host {connection.host} is unknown",
                f"correct {variable}",
            ),
            (
                r"password|access denied|authentication|role .* does not exist|pg_hba|not allowed|permission denied",
                f"the server {server} does not let {connection.login or 'an unnamed user'} in",
                f"check user and password in {variable}",
            ),
            (r"\bssl\b|\btls\b", f"no encryption is agreed on with the server {server}", f"set sslmode in {variable}"),
        ]
        for sign, place, mend in meanings:
            if re.search(sign, said):
                return SourceError(source, place, mend)
        return SourceError(
            source, f"the database server {server} does not answer", f"start it, or correct {variable}, then land again"
        )

    def find_tables(self) -> list[SourceTable]:
        """The table of every entity. Raises ``SourceError`` for a missing table, ``TableChanged`` for a column."""
        columns = self._columns()
        return [self._find_table(entity, columns) for entity in self._contract.entities]

    def _columns(self) -> dict[tuple[str, str], dict[str, str]]:
        """(schema, table) → column → the owner's type, for the tables of the contract that we may read."""
        names = ", ".join(quote_text(entity.table) for entity in self._contract.entities)
        if self._connection.kind == "postgres":
            query = POSTGRES_COLUMNS.format(names=names)
        else:
            query = (
                "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
                f"WHERE {self._own_schemas()} AND table_name IN ({names}) ORDER BY ordinal_position"
            )
        found: dict[tuple[str, str], dict[str, str]] = {}
        for schema, table, column, kind in self._duck.execute(f"SELECT * FROM {self._ask(query)}").fetchall():
            found.setdefault((schema, table), {})[column] = kind
        return found

    def _other_tables(self) -> list[str]:
        """Names of all tables that we may read."""
        query = f"SELECT DISTINCT table_name FROM information_schema.columns WHERE {self._own_schemas()}"
        return sorted(table for (table,) in self._duck.execute(f"SELECT * FROM {self._ask(query)}").fetchall())

    def _own_schemas(self) -> str:
        if self._connection.kind == "postgres":
            return "table_schema NOT IN ('pg_catalog', 'information_schema')"
        return f"table_schema = {quote_text(self._contract.database.schema or self._connection.path or '')}"

    def _find_table(self, entity: Entity, columns: dict[tuple[str, str], dict[str, str]]) -> SourceTable:
        source, wanted = self._contract.source, self._contract.database.schema
        places = sorted(schema for schema, table in columns if table == entity.table)
        if wanted is not None:
            places = [schema for schema in places if schema == wanted]
        if len(places) > 1:
            path = self._search_path()
            places = [schema for schema in path if schema in places][:1] or places
        if not places:
            other = similar_name(entity.table, self._other_tables())
            hint = f"is it {other} now? " if other else ""
            database = self._connection.path
            raise SourceError(
                source,
                f"the database {database} shows no table {entity.table}"
                if database
                else f"the connection names no database, and the server's own choice shows no table {entity.table}",
                f"{hint}{'' if database else 'name the database, '}have the owner grant SELECT on it, or correct the"
                " contract",
            )
        if len(places) > 1:
            raise SourceError(
                source,
                f"table {entity.table} is in the schemas {', '.join(places)}",
                "name the right one as connector.schema in the contract",
            )
        types = columns[places[0], entity.table]
        agreed = {field.column for field in entity.fields}
        extra = tuple(sorted(set(types) - agreed))
        for field in entity.fields:
            if field.column not in types and not field.optional:
                other = similar_name(field.column, extra)
                hint = f"is it {other} now? " if other else ""
                raise TableChanged(
                    source,
                    entity.name,
                    f"table {entity.table} has no column {field.column}",
                    f"{hint}ask the owner, or correct the contract",
                )
        return SourceTable(entity, places[0], entity.table, types, extra)

    def _search_path(self) -> list[str]:
        if self._connection.kind != "postgres":
            return []
        row = self._duck.execute(
            f"SELECT * FROM postgres_query('{OWNER}', 'SELECT unnest(current_schemas(false))::text')"
        ).fetchall()
        return [schema for (schema,) in row]

    def select(self, table: SourceTable, since: datetime | None, only: Sequence[str] | None = None) -> str:
        """SQL of the rows changed at or after ``since`` (all when none) as ``raw_<field>``; ``only``: these fields."""
        return self._select(table, since, only, "")

    def types(self, table: SourceTable) -> dict[str, str]:
        """The engine's type of every column of ``select``. Raises ``TableChanged`` when a number would be rounded."""
        if self._connection.kind == "postgres":
            return {
                f"raw_{field.name}": SAFE_POSTGRES.get(table.types[field.column], "VARCHAR")
                for field in table.entity.fields
                if field.column in table.types
            }
        described = self._duck.execute(f"DESCRIBE {self._select(table, None, None, ' LIMIT 0')}").fetchall()
        types = {row[0]: row[1] for row in described}
        for field in table.entity.fields:
            if table.types.get(field.column) == "decimal" and types[f"raw_{field.name}"] == "DOUBLE":
                raise TableChanged(
                    self._contract.source,
                    table.entity.name,
                    f"column {field.column} of table {table.table} has more than 38 digits, which would be rounded",
                    "ask the owner for a column of at most 38 digits",
                )
        return types

    def count(self, table: SourceTable) -> int:
        """How many rows the owner's table holds, as of the transaction's moment."""
        if self._connection.kind == "postgres":
            return _ask_for_count(self._duck, table)
        counted = f"SELECT count(*) FROM {OWNER}.{quote_name(table.schema)}.{quote_name(table.table)}"
        (row,) = self._duck.execute(counted).fetchall()
        return int(row[0])

    @contextmanager
    def counting(self, table: SourceTable) -> Iterator[Callable[[], int]]:
        """``count``, begun now where the server can do it beside the work of the block; what is yielded waits for it.

        PostgreSQL lends the transaction's moment to a second connection. Elsewhere, and where the server lets us in
        only once, the transaction itself counts when it is asked.
        """
        if self._connection.kind != "postgres":
            yield lambda: self.count(table)
            return
        (moment,) = self._duck.execute(f"SELECT * FROM {self._ask('SELECT pg_export_snapshot()')}").fetchall()[0]
        with self._duck.cursor() as other, ThreadPoolExecutor(1, "count") as beside:
            counted = beside.submit(self._count_at, other, table, moment)

            def wait() -> int:
                rows = counted.result()
                return self.count(table) if rows is None else rows

            yield wait

    def _count_at(self, duck: duckdb.DuckDBPyConnection, table: SourceTable, moment: str) -> int | None:
        """How many rows the table held at an exported moment; None when no second connection is to be had."""
        duck.execute("BEGIN TRANSACTION")
        # One process of the owner's server for one number: helpers of it would only press others aside.
        begun = f"SET TRANSACTION SNAPSHOT {quote_text(moment)}; SET LOCAL max_parallel_workers_per_gather = 0"
        try:
            duck.execute(f"CALL postgres_execute('{OWNER}', {quote_text(begun)})")
        except duckdb.Error:
            duck.execute("ROLLBACK")
            return None
        rows = _ask_for_count(duck, table)
        duck.execute("COMMIT")
        return rows

    def find_zero_dates(self, table: SourceTable, since: datetime | None) -> SourceTable:
        """The table with the fields in which MySQL holds days that are none, among the rows of ``select``.

        Only the server's text shows them, and a query for it does not see the transaction's moment: it counts only
        where the scanner says NULL. The rows wait in a temp table that ``select`` joins.
        """
        days = [field for field in table.entity.fields if table.types.get(field.column) in MYSQL_DAYS]
        if self._connection.kind != "mysql" or not days:
            return table
        keys = [table.entity.field(name) for name in table.entity.record_id_fields]
        columns = ", ".join(
            f"CAST({_backticked(field.column)} AS CHAR) AS {_backticked(field.name)}"
            for field in {field.name: field for field in [*keys, *days]}.values()
        )
        is_none = " OR ".join(
            f"{part}({_backticked(field.column)}) = 0" for field in days for part in ("MONTH", "DAYOFMONTH")
        )
        changed = self._condition(table, since, _backticked)
        query = (
            f"SELECT {columns} FROM {_backticked(table.schema)}.{_backticked(table.table)} WHERE ({is_none})"
            f"{changed.replace('WHERE', 'AND')}"
        )
        held = quote_name(f"{ZERO_DATES} {table.entity.name}")
        self._duck.execute(f"CREATE OR REPLACE TEMP TABLE {held} AS SELECT * FROM {self._ask(query)}")
        asked = ", ".join(f"coalesce(bool_or(contains({quote_name(field.name)}, '-00')), false)" for field in days)
        found = self._duck.execute(f"SELECT {asked} FROM {held}").fetchone() or ()
        return replace(
            table, zero_dates=tuple(field.name for field, is_found in zip(days, found, strict=True) if is_found)
        )

    def _select(self, table: SourceTable, since: datetime | None, only: Sequence[str] | None, limit: str) -> str:
        fields = [
            field
            for field in table.entity.fields
            if field.column in table.types and (only is None or field.name in only)
        ]
        is_safe = all(table.types[field.column] in SAFE_POSTGRES for field in fields)
        if self._connection.kind == "postgres" and not (since is None and is_safe):
            # Some rows: the server finds them by its index, where the scanner would read the whole table.
            columns = ", ".join(
                quote_name(field.column)
                + ("" if table.types[field.column] in SAFE_POSTGRES else "::text")
                + f" AS {quote_name('raw_' + field.name)}"
                for field in fields
            )
            place = f"{quote_name(table.schema)}.{quote_name(table.table)}"
            query = f"SELECT {columns} FROM {place}{self._condition(table, since, quote_name)}{limit}"
            return f"SELECT * FROM {self._ask(query)}"
        columns = ", ".join(f"{quote_name(field.column)} AS {quote_name('raw_' + field.name)}" for field in fields)
        place = f"{OWNER}.{quote_name(table.schema)}.{quote_name(table.table)}"
        query = f"SELECT {columns} FROM {place}{self._condition(table, since, quote_name)}{limit}"
        return self._with_zero_dates(table, query) if only is None else query

    def _with_zero_dates(self, table: SourceTable, query: str) -> str:
        if not table.zero_dates:
            return query
        columns = ", ".join(
            f"coalesce(CAST({quote_name('raw_' + name)} AS VARCHAR), zero.{quote_name(name)}) "
            f"AS {quote_name('raw_' + name)}"
            for name in table.zero_dates
        )
        same = " AND ".join(
            f"CAST({quote_name('raw_' + name)} AS VARCHAR) = zero.{quote_name(name)}"
            for name in table.entity.record_id_fields
        )
        held = quote_name(f"{ZERO_DATES} {table.entity.name}")
        return f"SELECT read.* REPLACE ({columns}) FROM ({query}) AS read LEFT JOIN {held} AS zero ON {same}"

    def _condition(self, table: SourceTable, since: datetime | None, quote: Callable[[str], str]) -> str:
        if since is None or table.entity.watermark is None:
            return ""
        moved = table.entity.field(table.entity.watermark).column
        return f" WHERE {quote(moved)} >= {self._moment(since, table.types[moved])}"

    def _ask(self, query: str) -> str:
        return f"{self._connection.kind}_query('{OWNER}', {quote_text(query)})"

    def _moment(self, since: datetime, kind: str) -> str:
        if kind == "timestamp with time zone":
            return f"TIMESTAMPTZ '{since.isoformat(sep=' ')}'"
        local = since.astimezone(ZoneInfo(self._contract.database.time_zone)).replace(tzinfo=None)
        return f"TIMESTAMP '{local.isoformat(sep=' ')}'"


def _ask_for_count(duck: duckdb.DuckDBPyConnection, table: SourceTable) -> int:
    """The number of rows of a table of PostgreSQL, counted by the server."""
    query = f"SELECT count(*) FROM {quote_name(table.schema)}.{quote_name(table.table)}"
    (row,) = duck.execute(f"SELECT * FROM postgres_query('{OWNER}', {quote_text(query)})").fetchall()
    return int(row[0])


def _backticked(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _chosen(extra: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    return {name: extra[name] for name in names if name in extra}


def _conninfo(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
