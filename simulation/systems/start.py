"""Start the demo city's four systems, filled with one city, and say how to reach them.

``python -m simulation.systems.start CITY FOLDER`` runs them until interrupted and prints the connections.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from simulation.systems import SystemsError
from simulation.systems.district_files import POSITIONS, write_district_files
from simulation.systems.funeral_api import Habits
from simulation.systems.funeral_records import load_cremations
from simulation.systems.mysql import MysqlServer
from simulation.systems.postgres import (
    ELDERCARE_TABLES,
    MARRIAGE_TABLES,
    PostgresServer,
    keep_secret,
)

API_START_SECONDS = 60
API_STOP_SECONDS = 10
_PROJECT = Path(__file__).resolve().parents[2]


class RunningSystems:
    """The four systems of one demo city, running; leaving the ``with`` block, or ``stop``, ends them.

    ``environment`` holds the four ``AIRFLOW_CONN_…`` variables; ``positions`` is the file that says where each row of
    the allowance tables lies; ``allowance`` the folder of the districts' files.
    """

    def __init__(self, environment: dict[str, str], folder: Path, postgres: PostgresServer, ending: ExitStack) -> None:
        self.environment = environment
        self.postgres = postgres
        self.allowance = folder / "allowance"
        self.positions = folder / POSITIONS
        self._ending = ending

    def stop(self) -> None:
        """End the servers that were started here, by their own process ids. A second call does nothing."""
        self._ending.close()

    def __enter__(self) -> RunningSystems:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_systems(
    city: Path,
    folder: Path,
    *,
    seed: int,
    habits: Habits | None = None,
    progress: Callable[[str], None] | None = None,
) -> RunningSystems:
    """Fill and start the four systems of ``city`` under ``folder``.

    What ``folder`` already holds of this very city is not loaded again. The elderly-care schema lives on the server
    that ``RONGTONG_DEMO_MYSQL_URL`` names, else in the demo's PostgreSQL. Raises ``SystemsError`` when the systems of
    ``folder`` are running already, or one of them cannot be started or filled.
    """
    tell = progress or (lambda _: None)
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as ending:
        _lock_folder(folder, ending)
        loaded = _Loaded(folder / "loaded.json")
        mysql = MysqlServer.from_environment(folder)
        tell("starting PostgreSQL")
        postgres = PostgresServer(folder / "postgres")
        ending.callback(postgres.stop)
        is_known = (postgres.data / "PG_VERSION").exists()
        postgres.start()

        mark = _fingerprint(city, MARRIAGE_TABLES)
        if not is_known or not loaded.holds("marriage", mark):
            tell("filling the marriage registration database")
            loaded.forget("marriage")
            postgres.load_marriage(city)
            loaded.remember("marriage", mark)
        mark = _fingerprint(city, ELDERCARE_TABLES)
        if mysql is not None:
            mark = f"{mysql.host}:{mysql.port} {mark}"
        is_there = is_known if mysql is None else mysql.holds_eldercare()
        if not is_there or not loaded.holds("eldercare", mark):
            tell("filling the elderly-care database")
            loaded.forget("eldercare")
            (mysql or postgres).load_eldercare(city)
            loaded.remember("eldercare", mark)

        records = folder / "funeral" / "records.sqlite"
        mark = _fingerprint(city, ("cremations",))
        if not records.exists() or not loaded.holds("funeral", mark):
            tell("filling the funeral service")
            loaded.forget("funeral")
            load_cremations(city, records)
            loaded.remember("funeral", mark)
        allowance = folder / "allowance"
        mark = f"{seed} {_fingerprint(city, ('household_rows', 'member_rows', 'payment_rows'))}"
        if not allowance.exists() or not loaded.holds("allowance", mark):
            tell("letting the districts write their files")
            loaded.forget("allowance")
            shutil.rmtree(allowance, ignore_errors=True)
            write_district_files(city, allowance, seed)
            loaded.remember("allowance", mark)

        tell("starting the funeral service")
        token_file = folder / "funeral" / "token"
        token = keep_secret(token_file)
        port = _start_api(records, token_file, habits or Habits(seed=seed), ending)
        environment = {
            "AIRFLOW_CONN_MARRIAGE": postgres.uri("marriage"),
            "AIRFLOW_CONN_FUNERAL": f"http://:{token}@127.0.0.1:{port}",
            "AIRFLOW_CONN_ALLOWANCE": f"file://{quote(str(allowance))}",
            "AIRFLOW_CONN_ELDERCARE": postgres.uri("eldercare") if mysql is None else mysql.uri,
        }
        return RunningSystems(environment, folder, postgres, ending.pop_all())


class _Loaded:
    """Which system of the folder was filled completely, and with which city."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._marks: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}

    def holds(self, system: str, mark: str) -> bool:
        return self._marks.get(system) == mark

    def forget(self, system: str) -> None:
        self._marks.pop(system, None)
        self._write()

    def remember(self, system: str, mark: str) -> None:
        self._marks[system] = mark
        self._write()

    def _write(self) -> None:
        fresh = self._file.with_name(self._file.name + ".new")
        fresh.write_text(json.dumps(self._marks, indent=1))
        fresh.replace(self._file)


def _lock_folder(folder: Path, ending: ExitStack) -> None:
    """Hold the folder until ``ending``; the system gives the lock back however this process ends."""
    lock = ending.enter_context((folder / "lock").open("a+"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SystemsError(f"The demo's systems in {folder} are running already; end that demo first.") from error


def _fingerprint(city: Path, tables: tuple[str, ...]) -> str:
    """A digest over the content of the city's tables; raises ``SystemsError`` when one is missing."""
    total = hashlib.blake2b(digest_size=16)
    for table in tables:
        file = city / f"{table}.parquet"
        if not file.exists():
            raise SystemsError(f"The demo city lacks {file.name} in {city}; generate the city again.")
        with file.open("rb") as content:
            total.update(hashlib.file_digest(content, "blake2b").digest())
    return total.hexdigest()


def _start_api(records: Path, token_file: Path, habits: Habits, ending: ExitStack) -> int:
    """Start the HTTP API as a process that cannot outlive this one, and return its port."""
    port_file = records.with_name("port")
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "simulation.systems.funeral_api", "--lifeline"]
    command += ["--data", str(records), "--token-file", str(token_file), "--port-file", str(port_file)]
    for name, value in asdict(habits).items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    path = os.pathsep.join(part for part in (str(_PROJECT), os.environ.get("PYTHONPATH", "")) if part)
    log_file = records.with_name("server.log")
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=dict(os.environ, PYTHONPATH=path),
            start_new_session=True,
        )
    ending.callback(_stop_api, process)
    deadline = time.monotonic() + API_START_SECONDS
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemsError(f"The demo's funeral service did not start; the reason is in {log_file}.")
        time.sleep(0.02)
    return int(port_file.read_text())


def _stop_api(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(API_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    """Run the systems until interrupted."""
    parser = argparse.ArgumentParser(prog="simulation.systems.start", description=__doc__)
    parser.add_argument("city", type=Path, help="folder of the city's Parquet tables")
    parser.add_argument("folder", type=Path, help="folder for the servers and files")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        with start_systems(
            given.city, given.folder, seed=given.seed, progress=lambda text: print(text, file=sys.stderr)
        ) as systems:
            for name, value in systems.environment.items():
                print(f"export {name}='{value}'", flush=True)
            threading.Event().wait()
    except SystemsError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)


if __name__ == "__main__":
    main()
