"""The elderly-care schema on a real MySQL or MariaDB that somebody named; no other server is ever touched."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import duckdb

from simulation.systems import SystemsError
from simulation.systems.postgres import ELDERCARE_TABLES, copy_table
from warehouse.duck import connect

URL_VARIABLE = "RONGTONG_DEMO_MYSQL_URL"
DEFAULT_PORT = 3306

ELDERCARE_SCHEMA = (
    """CREATE TABLE elder (
        id bigint PRIMARY KEY AUTO_INCREMENT, full_name varchar(100), id_card varchar(30), gender varchar(4),
        birthday date, phone varchar(40), hukou_district varchar(6), live_district varchar(6),
        live_address varchar(200), living_alone tinyint, key_target tinyint, contact_name varchar(100),
        contact_phone varchar(40), contact_relation varchar(10), status varchar(10),
        is_deleted tinyint NOT NULL DEFAULT 0, updated_at datetime(3) NOT NULL)""",
    """CREATE TABLE ability_assessment (
        id bigint PRIMARY KEY AUTO_INCREMENT, elder_id bigint NOT NULL, standard varchar(20) NOT NULL,
        total_score int, level tinyint, assessed_on date, valid_until date,
        is_deleted tinyint NOT NULL DEFAULT 0, updated_at datetime(3) NOT NULL)""",
    """CREATE TABLE institution (
        id bigint PRIMARY KEY AUTO_INCREMENT, name varchar(200) NOT NULL, uscc varchar(18), district varchar(6),
        licensed_beds int, ownership varchar(20),
        is_deleted tinyint NOT NULL DEFAULT 0, updated_at datetime(3) NOT NULL)""",
    """CREATE TABLE bed_stay (
        id bigint PRIMARY KEY AUTO_INCREMENT, elder_id bigint NOT NULL, institution_id bigint NOT NULL,
        checked_in_on date NOT NULL, checked_out_on date, checkout_reason varchar(20),
        subsidy_month_yuan decimal(10,2),
        is_deleted tinyint NOT NULL DEFAULT 0, updated_at datetime(3) NOT NULL)""",
    """CREATE TABLE care_visit (
        id bigint PRIMARY KEY AUTO_INCREMENT, elder_id bigint NOT NULL, visited_on date NOT NULL,
        kind varchar(20) NOT NULL, worker_code varchar(20), subsidy_yuan decimal(10,2),
        entered_at datetime(3) NOT NULL,
        is_deleted tinyint NOT NULL DEFAULT 0, updated_at datetime(3) NOT NULL)""",
)


@dataclass(frozen=True)
class MysqlServer:
    """A named server and the one database on it that belongs to this home."""

    host: str
    port: int
    user: str
    password: str
    database: str

    @classmethod
    def from_environment(cls, folder: Path) -> MysqlServer | None:
        """The server named by ``RONGTONG_DEMO_MYSQL_URL`` (``mysql://user:password@host:port``), or none.

        The database is named after ``folder``, so that two homes on one server never meet. Raises ``SystemsError``
        when the URL is of another form.
        """
        url = os.environ.get(URL_VARIABLE)
        if not url:
            return None
        parts = urlsplit(url)
        is_mysql = parts.scheme in ("mysql", "mariadb")
        if not is_mysql or not parts.hostname or not parts.username or parts.path.strip("/"):
            raise SystemsError(f"{URL_VARIABLE} must look like mysql://user:password@host:port, without a database.")
        digest = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:12]
        return cls(
            host=parts.hostname,
            port=parts.port or DEFAULT_PORT,
            user=unquote(parts.username),
            password=unquote(parts.password or ""),
            database=f"rongtong_demo_{digest}",
        )

    @property
    def uri(self) -> str:
        """Connection URI of the home's database."""
        login = quote(self.user, safe="") + (f":{quote(self.password, safe='')}" if self.password else "")
        return f"mysql://{login}@{self.host}:{self.port}/{self.database}"

    def load_eldercare(self, city: Path) -> None:
        """Make the home's database anew and fill it from the city's five Parquet tables.

        Raises ``SystemsError`` when the server cannot be reached or lacks a right.
        """
        duck = connect(extensions=("mysql_scanner",))
        try:
            self._run(duck, "", f"DROP DATABASE IF EXISTS {self.database}")
            self._run(duck, "", f"CREATE DATABASE {self.database} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
            for statement in ELDERCARE_SCHEMA:
                self._run(duck, self.database, statement)
            # Attached only now: the scanner keeps the list of tables it saw when attaching.
            self._attach(duck, "filled", self.database)
            for table in ELDERCARE_TABLES:
                copy_table(duck, city / f"{table}.parquet", f"filled.{self.database}.{table}")
        except duckdb.Error as error:
            raise SystemsError(
                f"MySQL at {self.host}:{self.port} could not be filled ({_first_line(error)}); check {URL_VARIABLE}."
            ) from error
        finally:
            duck.close()

    def holds_eldercare(self) -> bool:
        """Whether the home's database is there with all its tables; false also when the server does not answer."""
        duck = connect(extensions=("mysql_scanner",))
        try:
            self._attach(duck, "held", "information_schema")
            query = f"SELECT table_name FROM tables WHERE table_schema = ''{self.database}''"
            found = {row[0] for row in duck.execute(f"SELECT * FROM mysql_query('held', '{query}')").fetchall()}
            return set(ELDERCARE_TABLES) <= found
        except duckdb.Error:
            return False
        finally:
            duck.close()

    def drop(self) -> None:
        """Remove the home's database from the server."""
        duck = connect(extensions=("mysql_scanner",))
        try:
            self._run(duck, "", f"DROP DATABASE IF EXISTS {self.database}")
        finally:
            duck.close()

    def _attach(self, duck: duckdb.DuckDBPyConnection, name: str, database: str) -> None:
        secret = (
            f"TYPE mysql, HOST {_quoted(self.host)}, PORT {self.port}, USER {_quoted(self.user)}, "
            f"PASSWORD {_quoted(self.password)}, DATABASE {_quoted(database)}"
        )
        duck.execute(f"CREATE OR REPLACE SECRET {name} ({secret})")
        duck.execute(f"ATTACH '' AS {name} (TYPE mysql, SECRET {name})")

    def _run(self, duck: duckdb.DuckDBPyConnection, database: str, statement: str) -> None:
        self._attach(duck, "asked", database)
        duck.execute(f"CALL mysql_execute('asked', {_quoted(statement)})")
        duck.execute("DETACH asked")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: duckdb.Error) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
