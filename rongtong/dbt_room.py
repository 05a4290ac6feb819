"""Build one room of the work file with dbt, in a process of its own.

``python -m rongtong.dbt_room ...`` is the child: it runs dbt's invocations for the rooms that its standard input names,
one after another, and prints one JSON line per finished node. ``build_room`` is the parent's side. A process of its own
because DuckDB gives a file to one process at a time, and whatever comes next must find it free. Getting ready takes dbt
three seconds, in which it opens no file of ours: ``ready_builder`` has that done once, beside other work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rongtong.console import ProgressCallback
from rongtong.day.merge import local_tables
from rongtong.dbt_parsed import NotParsed, parsed_project
from warehouse.home import PROJECT, Home
from warehouse.pseudonym import FOLDER_VARIABLE

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunner

_WORK_FILE = "RONGTONG_WORK_FILE"
_NO_UNIONS = ["--exclude", "int_*__unioned"]
_GOLDEN = ["--select", "path:models/intermediate", "path:models/golden", *_NO_UNIONS]
_VIEWS = [f"path:models/{room},config.materialized:view" for room in ("intermediate", "golden")]
_FINDINGS = ["--select", "path:models/findings", "path:models/handovers"]
_LOCAL, _LOCAL_BUT_WEEKS = ([t.split(".")[1] for t in local_tables(week_moved=moved)] for moved in (False, True))
# The unions read whatever staging has built, so they need an invocation after it: dbt cannot order what it learns to
# exist only at run time.
ROOMS: dict[str, list[list[str]]] = {
    "staging": [
        ["build", "--select", "resource_type:seed", "path:models/staging"],
        ["build", "--select", "int_*__unioned"],
    ],
    "golden": [["build", *_GOLDEN]],
    "findings": [["build", *_FINDINGS]],
    # What a small city can say, in a work file of its own; then, in the whole city's, what it cannot.
    "small city": [["build", "--select", *_LOCAL, *_VIEWS, *_NO_UNIONS]],
    "small city of a week": [["build", "--select", *_LOCAL_BUT_WEEKS, *_VIEWS, *_NO_UNIONS]],
    "golden of a day": [["build", *_GOLDEN, "config.materialized:view", *_LOCAL]],
    "golden of a day and week": [["build", *_GOLDEN, "config.materialized:view", *_LOCAL_BUT_WEEKS]],
    "findings of a day": [["build", *_FINDINGS, "--exclude", *_LOCAL]],
    "findings of a day and week": [["build", *_FINDINGS, "--exclude", *_LOCAL_BUT_WEEKS]],
}


class RoomFailed(RuntimeError):
    """dbt stopped: one sentence naming the room, the model or test, and where the log is."""


class Builder(Protocol):
    """Builds a room in the run's work file or, where told, in another one; raises ``RoomFailed``."""

    def __call__(self, room: str, progress: ProgressCallback | None, work_file: Path | None = None) -> None: ...


def build_room(
    room: str, home: Home, run_id: str, variables: dict[str, Any], progress: ProgressCallback | None = None
) -> None:
    """Run dbt for ``room`` of run ``run_id``; ``variables`` become dbt's vars (``as_of``, ``run_id``, ...).

    Raises ``RoomFailed`` with the first model or test that failed. dbt's own log may quote values of people and stays
    in the run's private folder.
    """
    with ready_builder(home, run_id, variables) as build:
        build(room, progress)


@contextmanager
def ready_builder(home: Home, run_id: str, variables: dict[str, Any]) -> Iterator[Builder]:
    """Begin a process that builds rooms as ``build_room``, one after another, and gets ready beside other work.

    It opens a work file only while it builds there, and ends with the block.
    """
    folder = home.run_folder(run_id)
    log_folder = folder / "dbt"
    log_folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        _WORK_FILE: str(home.work_file(run_id)),
        "RONGTONG_TEMP_FOLDER": str(folder / "temp"),
        "RONGTONG_DBT_TARGET": str(home.root / "dbt"),
        FOLDER_VARIABLE: str(home.root),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        # What dbt tells of the whole project in files costs a second per invocation, and a run reads none of it.
        "DBT_WRITE_JSON": os.environ.get("DBT_WRITE_JSON", "false"),
        "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }
    where = [PROJECT / "dbt_project", home.root / "dbt", log_folder]
    command = [sys.executable, "-m", "rongtong.dbt_room", *map(str, where), json.dumps(variables)]
    with (
        (log_folder / "errors").open("a", encoding="utf-8") as errors,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as child,
    ):

        def build(room: str, progress: ProgressCallback | None, work_file: Path | None = None) -> None:
            order = {"room": room, "work_file": str(work_file or home.work_file(run_id))}
            _have_built(child, order, log_folder, progress)

        yield build


def _have_built(
    child: subprocess.Popen[str], order: dict[str, str], log_folder: Path, progress: ProgressCallback | None
) -> None:
    """Have the child build a room and report its nodes to ``progress``. Raises ``RoomFailed``."""
    failures: list[str] = []
    assert child.stdin is not None and child.stdout is not None
    # A child that could not get ready is gone by now, and its silence tells.
    with suppress(BrokenPipeError):
        child.stdin.write(json.dumps(order) + "\n")
        child.stdin.flush()
    for line in child.stdout:
        if not line.startswith("{"):
            continue
        told = json.loads(line)
        if "succeeded" in told:
            if told["succeeded"]:
                return
            break
        if told["status"] in ("error", "fail"):
            failures.append(told["node"])
        if progress is not None:
            progress(told["done"], None, told["node"])
    what = f"{failures[0]} failed" if failures else "dbt could not read its models"
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    where = log_folder / "dbt.log"
    raise RoomFailed(f"room {order['room']}: {what}{more}; read {where} and mend the model or its input.")


class _Teller:
    """Prints one JSON line per finished node; dbt calls it from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done = 0

    def __call__(self, event: Any) -> None:
        if event.info.name == "NodeFinished":
            with self._lock:
                self._done += 1
                line = {"node": event.data.node_info.node_name, "status": event.data.run_result.status}
                print(json.dumps(line | {"done": self._done}), flush=True)

    def begin(self) -> None:
        """Count from the start again."""
        self._done = 0


def main(arguments: list[str]) -> int:
    """The child: 0 when every room that it was told of succeeded, 1 otherwise.

    Arguments: the folders of the project, of what is kept of parsing and of the log, and dbt's vars as JSON. A line of
    standard input names a room and the work file to build it in, as JSON.
    """
    from dbt.cli.main import dbtRunner

    project, kept, log_folder, variables = arguments
    options = ["--project-dir", project, "--profiles-dir", project, "--log-path", log_folder, "--vars", variables]
    options += ["--log-level", "none", "--log-level-file", "info"]
    teller = _Teller()
    try:
        runner = dbtRunner(manifest=parsed_project(Path(project), Path(kept), options), callbacks=[teller])
    except NotParsed as reason:
        _log(log_folder, reason)
        return 1
    for line in sys.stdin:
        order = json.loads(line)
        os.environ[_WORK_FILE] = order["work_file"]
        teller.begin()
        succeeded = _build(runner, order["room"], options, log_folder)
        print(json.dumps({"succeeded": succeeded}), flush=True)
        if not succeeded:
            return 1
    return 0


def _build(runner: dbtRunner, room: str, options: list[str], log_folder: str) -> bool:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    for selection in ROOMS[room]:
        outcome = runner.invoke([*selection, *options, "--indirect-selection", "buildable", "--fail-fast"])
        if not outcome.success:
            _log(log_folder, outcome.exception)
            return False
    # dbt keeps the file open for another invocation, and whoever comes next must find it free.
    DuckDBConnectionManager.env().close()
    DuckDBConnectionManager.close_all_connections()
    return True


def _log(folder: str, reason: BaseException | None) -> None:
    if reason is not None:
        with Path(folder, "dbt.log").open("a", encoding="utf-8") as log:
            log.write(f"\n{reason}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
