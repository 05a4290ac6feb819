"""The SQL servers are real, hold exactly the city's rows, and start as root and as an ordinary user."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from tiny_city import write_tiny_city

from simulation.systems import SystemsError, launch_server
from simulation.systems.mysql import URL_VARIABLE, MysqlServer
from simulation.systems.postgres import ELDERCARE_TABLES, PostgresServer
from simulation.systems.start import RunningSystems, start_systems
from warehouse.duck import connect

PROJECT = Path(__file__).resolve().parents[3]
_START_AND_WAIT = """
import sys, time
from pathlib import Path
from simulation.systems.postgres import PostgresServer
server = PostgresServer(Path(sys.argv[1])).start()
print(server.pid, flush=True)
time.sleep(60)
"""
_START_AND_STOP = """
import os, sys
from pathlib import Path
from simulation.systems.postgres import PostgresServer
server = PostgresServer(Path(sys.argv[1])).start()
server.recreate_database("marriage")
print(os.geteuid(), Path(f"/proc/{server.pid}").stat().st_uid)
server.stop()
"""


def _gone(pid: int) -> bool:
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.05)
    return False


def _compare(duck: object, attached: str, tables: tuple[str, ...], city: Path) -> None:
    for table in tables:
        columns = ", ".join(
            f"{name}::varchar AS {name}"
            for (name, *_) in duck.execute(f"DESCRIBE {attached}.{table}").fetchall()  # type: ignore[attr-defined]
        )
        source = f"SELECT {columns} FROM read_parquet('{city / table}.parquet')"
        target = f"SELECT {columns} FROM {attached}.{table}"
        difference = duck.execute(  # type: ignore[attr-defined]
            f"SELECT (SELECT count(*) FROM ({source} EXCEPT ALL {target})), "
            f"(SELECT count(*) FROM ({target} EXCEPT ALL {source}))"
        ).fetchone()
        assert difference == (0, 0), table


def test_postgres_holds_exactly_the_city(running: RunningSystems, tiny_city: Path) -> None:
    duck = connect(extensions=("icu", "postgres_scanner"))
    for name in ("marriage", "eldercare"):
        duck.execute(
            f"ATTACH '{running.environment[f'AIRFLOW_CONN_{name.upper()}']}' AS {name} (TYPE postgres, READ_ONLY)"
        )
    _compare(duck, "marriage.hydj", ("registration",), tiny_city)
    _compare(duck, "eldercare.public", ELDERCARE_TABLES, tiny_city)
    duck.close()


def test_the_reader_cannot_write_and_a_wrong_password_is_refused(running: RunningSystems) -> None:
    uri = running.environment["AIRFLOW_CONN_MARRIAGE"]
    with psycopg.connect(uri) as connection, pytest.raises(psycopg.errors.Error):
        connection.execute("DELETE FROM hydj.registration")
    with psycopg.connect(uri) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SET TRANSACTION READ WRITE")
        connection.execute("DELETE FROM hydj.registration")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(uri.replace("reader:", "reader:wrong"))


def test_the_unix_socket_wants_the_password_too(running: RunningSystems) -> None:
    server = running.postgres
    if not (server.data / f".s.PGSQL.{server.port}").exists():
        pytest.skip("the path of this test's folder is too long for a Unix socket")
    arguments = {"host": str(server.data), "port": server.port, "user": "reader", "dbname": "marriage"}
    with psycopg.connect(**arguments, password=server.password("reader")) as connection:  # type: ignore[arg-type]
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**arguments, password="wrong")  # type: ignore[arg-type]


def test_postgres_starts_under_a_closed_folder_and_as_an_ordinary_user(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    command = [sys.executable, "-c", _START_AND_STOP, str(tmp_path / "server")]
    if os.geteuid() == 0:
        ordinary = pwd.getpwnam("nobody")
        os.chown(tmp_path, ordinary.pw_uid, ordinary.pw_gid)
        launcher = [sys.executable, "-I", "-S", launch_server.__file__]
        command = [*launcher, str(ordinary.pw_uid), str(ordinary.pw_gid), "-", *command]
    environment = dict(os.environ, PYTHONPATH=str(PROJECT), HOME=str(tmp_path), PYTHONDONTWRITEBYTECODE="1")
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    mine, the_servers = done.stdout.split()
    assert mine == the_servers
    assert mine != "0"


def test_a_killed_parent_leaves_no_server_and_the_next_start_succeeds(tmp_path: Path) -> None:
    environment = dict(os.environ, PYTHONPATH=str(PROJECT))
    with subprocess.Popen(
        [sys.executable, "-c", _START_AND_WAIT, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    assert _gone(pid)
    server = PostgresServer(tmp_path).start()
    server.stop()


def test_a_stale_pid_file_of_a_reused_number_is_not_believed(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path).start()
    server.stop()
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n")
    server.start()
    assert server.pid is not None
    server.stop()


def test_stop_ends_all_servers_and_a_second_start_loads_nothing(
    tiny_city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    steps: list[str] = []
    with start_systems(tiny_city, tmp_path / "demo", seed=1, progress=steps.append) as systems:
        assert any("filling" in step for step in steps)
        first = systems.postgres.pid
        with pytest.raises(SystemsError, match="running already"):
            start_systems(tiny_city, tmp_path / "demo", seed=1)
    assert first is not None
    assert _gone(first)
    steps.clear()
    with start_systems(tiny_city, tmp_path / "demo", seed=1, progress=steps.append) as systems:
        assert not any("filling" in step or "write" in step for step in steps)
        with psycopg.connect(systems.environment["AIRFLOW_CONN_MARRIAGE"]) as connection:
            assert connection.execute("SELECT count(*) FROM hydj.registration").fetchone() == (500,)
    systems.stop()
    other = write_tiny_city(tmp_path / "other", months=1)
    with start_systems(other, tmp_path / "demo", seed=1) as systems:
        assert not list(systems.allowance.rglob("*_202502*"))


def test_a_city_without_a_table_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    (tmp_path / "city").mkdir()
    with pytest.raises(SystemsError, match=r"registration\.parquet"):
        start_systems(tmp_path / "city", tmp_path / "demo", seed=1)


def test_secrets_are_readable_by_their_owner_only(running: RunningSystems) -> None:
    folder = running.allowance.parent
    for secret in (folder / "funeral" / "token", folder / "postgres" / "reader.password"):
        assert secret.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not os.environ.get(URL_VARIABLE), reason=f"no MySQL or MariaDB is named by {URL_VARIABLE}")
def test_mysql_holds_exactly_the_city(tiny_city: Path, tmp_path: Path) -> None:
    server = MysqlServer.from_environment(tmp_path)
    assert server is not None
    assert not server.holds_eldercare()
    server.load_eldercare(tiny_city)
    try:
        assert server.holds_eldercare()
        duck = connect(extensions=("icu", "mysql_scanner"))
        duck.execute("SET mysql_tinyint1_as_boolean = false")
        server._attach(duck, "held", server.database)
        _compare(duck, f"held.{server.database}", ELDERCARE_TABLES, tiny_city)
        duck.close()
    finally:
        server.drop()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("postgresql://root@127.0.0.1", id="another kind of server"),
        pytest.param("mysql://root@127.0.0.1/owned", id="a database of somebody else"),
        pytest.param("mysql://127.0.0.1", id="no user"),
    ],
)
def test_a_mysql_url_of_another_form_is_refused(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, url)
    with pytest.raises(SystemsError, match=URL_VARIABLE):
        MysqlServer.from_environment(tmp_path)
