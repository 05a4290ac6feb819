"""Connector for databases: PostgreSQL and MySQL/MariaDB behind one declaration, read through DuckDB's scanners.

All tables of a source are read in one transaction, so they fit together. The check before it names what is wrong in one
sentence, and looks up the real type of every column, because a scanner would change some values silently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import duckdb
import psycopg

from ingest.connection import Connection
from ingest.contract import Contract, Entity
from ingest.errors import SourceError, similar_name
from ingest.judge import quote_name, quote_text
from warehouse.duck import load_extension

OWNER = "owner_database"
CONNECT_SECONDS = 15
# Types that DuckDB's PostgreSQL scanner carries over without loss. Everything else is read as the server's own text:
# numeric would arrive as DOUBLE or lose NaN, and unknown types would fail.
SAFE_POSTGRES = frozenset(
    {
        "smallint",
        "integer",
        "bigint",
        "boolean",
        "date",
        "timestamp without time zone",
        "timestamp with time zone",
        "character varying",
        "text",
    }
)


@dataclass(frozen=True)
class SourceTable:
    """Where an entity's rows are: schema, table, the owner's type of every column, and columns nobody agreed on."""

    entity: Entity
    schema: str
    table: str
    types: Mapping[str, str]
    extra_columns: tuple[str, ...]


class MissingColumn(SourceError):
    """A table lacks a column that the contract requires: its delivery is refused."""

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
        if self._connection.kind not in ("postgres", "mysql"):
            raise SourceError(
                self._contract.source,
                f"the connection is of type {self._connection.kind}",
                "a database source needs postgresql:// or mysql://",
            )
        if self._connection.kind == "postgres":
            # DuckDB's own message would carry the password; the driver's state tells what is wrong.
            self._try_postgres()
        load_extension(self._duck, "postgres_scanner" if self._connection.kind == "postgres" else "mysql_scanner")
        if self._connection.kind == "mysql":
            self._duck.execute("SET mysql_tinyint1_as_boolean = false")
            self._duck.execute("SET mysql_bit1_as_boolean = false")
        try:
            self._duck.execute(f"CREATE OR REPLACE TEMPORARY SECRET {OWNER} ({self._secret()})")
            self._duck.execute(
                f"ATTACH '{self._options()}' AS {OWNER} (TYPE {self._connection.kind}, SECRET {OWNER}, READ_ONLY)"
            )
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise self._explain(str(error)) from None

    def _secret(self) -> str:
        connection = self._connection
        said = {
            "HOST": connection.host or "127.0.0.1",
            "PORT": str(connection.port or (5432 if connection.kind == "postgres" else 3306)),
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
            said = {"connect_timeout": str(CONNECT_SECONDS)}
            said |= {
                key: extra[key] for key in ("sslmode", "sslrootcert", "sslcert", "sslkey", "options") if key in extra
            }
        else:
            said = {key: extra[key] for key in ("ssl_mode", "ssl_ca", "ssl_cert", "ssl_key") if key in extra}
        return " ".join(f"{key}={_conninfo(value)}" for key, value in said.items()).replace("'", "''")

    def _try_postgres(self) -> None:
        try:
            self._postgres().close()
        except psycopg.Error as error:
            raise self._explain(str(error)) from None

    def _postgres(self) -> psycopg.Connection:
        connection, extra = self._connection, self._connection.extra
        options = {
            key: extra[key] for key in ("sslmode", "sslrootcert", "sslcert", "sslkey", "options") if key in extra
        }
        return psycopg.connect(
            host=connection.host or "127.0.0.1",
            port=connection.port or 5432,
            dbname=connection.path or connection.login or "postgres",
            user=connection.login,
            password=connection.password,
            connect_timeout=CONNECT_SECONDS,
            autocommit=True,
            **options,
        )

    def _explain(self, text: str) -> SourceError:
        """What the server's message means, without quoting it: it may hold the password."""
        source, connection = self._contract.source, self._connection
        server = (
            f"{connection.host or '127.0.0.1'}:{connection.port or (5432 if connection.kind == 'postgres' else 3306)}"
        )
        variable = f"AIRFLOW_CONN_{connection.conn_id.upper()}"
        lower = text.lower()
        if any(sign in lower for sign in ("unknown database", "does not exist")) and "role" not in lower:
            return SourceError(source, f"the server {server} has no database {connection.path}", f"correct {variable}")
        if any(
            sign in lower for sign in ("password", "access denied", "authentication", "role", "pg_hba", "not allowed")
        ) and not any(sign in lower for sign in ("connection refused", "can't connect", "unknown mysql server host")):
            return SourceError(
                source,
                f"the server {server} does not let {connection.login or 'an unnamed user'} in",
                f"check user and password in {variable}",
            )
        if any(sign in lower for sign in ("translate host", "resolve", "unknown mysql server host", "name or service")):
            return SourceError(source, f"the host {connection.host} is unknown", f"correct {variable}")
        if "ssl" in lower or "tls" in lower:
            return SourceError(
                source, f"the server {server} and we agree on no encryption", f"set sslmode in {variable}"
            )
        return SourceError(
            source, f"the database server {server} does not answer", f"start it, or correct {variable}, then land again"
        )

    def find_tables(self) -> list[SourceTable]:
        """The table of every entity. Raises ``SourceError`` for a missing table, ``MissingColumn`` for a column."""
        columns = self._columns()
        return [self._find_table(entity, columns) for entity in self._contract.entities]

    def _columns(self) -> dict[tuple[str, str], dict[str, str]]:
        """(schema, table) → column → the owner's type, for all tables that we may read."""
        names = ", ".join(quote_text(entity.table) for entity in self._contract.entities)
        if self._connection.kind == "postgres":
            query = (
                "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
                "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY ordinal_position"
            )
        else:
            query = (
                "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
                f"WHERE table_schema = {quote_text(self._contract.database.schema or self._connection.path or '')} "
                "ORDER BY ordinal_position"
            )
        found: dict[tuple[str, str], dict[str, str]] = {}
        for schema, table, column, kind in self._duck.execute(
            f"SELECT * FROM {self._connection.kind}_query('{OWNER}', {quote_text(query)})"
        ).fetchall():
            found.setdefault((schema, table), {})[column] = kind
        self._seen = sorted({table for _, table in found})
        return {key: kinds for key, kinds in found.items() if quote_text(key[1]) in names}

    def _find_table(self, entity: Entity, columns: dict[tuple[str, str], dict[str, str]]) -> SourceTable:
        source, wanted = self._contract.source, self._contract.database.schema
        places = sorted(schema for schema, table in columns if table == entity.table)
        if wanted is not None:
            places = [schema for schema in places if schema == wanted]
        if len(places) > 1:
            path = self._search_path()
            places = [schema for schema in path if schema in places][:1] or places
        if not places:
            other = similar_name(entity.table, self._seen)
            hint = f"is it {other} now? " if other else ""
            raise SourceError(
                source,
                f"the database {self._connection.path} shows no table {entity.table}",
                f"{hint}have the owner grant SELECT on it, or correct the contract".strip(),
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
                raise MissingColumn(
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
        fields = [
            field
            for field in table.entity.fields
            if field.column in table.types and (only is None or field.name in only)
        ]
        condition = ""
        if since is not None and table.entity.watermark is not None:
            field = table.entity.field(table.entity.watermark)
            condition = f" WHERE {quote_name(field.column)} >= {self._moment(since, table.types[field.column])}"
        if self._connection.kind == "postgres" and any(
            table.types[field.column] not in SAFE_POSTGRES for field in fields
        ):
            columns = ", ".join(
                quote_name(field.column)
                + ("" if table.types[field.column] in SAFE_POSTGRES else "::text")
                + f" AS {quote_name('raw_' + field.name)}"
                for field in fields
            )
            query = f"SELECT {columns} FROM {quote_name(table.schema)}.{quote_name(table.table)}{condition}"
            return f"SELECT * FROM postgres_query('{OWNER}', {quote_text(query)})"
        columns = ", ".join(f"{quote_name(field.column)} AS {quote_name('raw_' + field.name)}" for field in fields)
        place = f"{OWNER}.{quote_name(table.schema)}.{quote_name(table.table)}"
        return f"SELECT {columns} FROM {place}{condition}"

    def _moment(self, since: datetime, kind: str) -> str:
        if kind == "timestamp with time zone":
            return f"TIMESTAMPTZ '{since.isoformat(sep=' ')}'"
        local = since.astimezone(ZoneInfo(self._contract.database.time_zone)).replace(tzinfo=None)
        return f"TIMESTAMP '{local.isoformat(sep=' ')}'"


def _conninfo(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
