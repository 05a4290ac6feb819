"""Build one room of the work file with dbt, in a process of its own.

``python -m rongtong.dbt_room ...`` is the child: it runs dbt's invocations for the room one after another and prints
one JSON line per finished node. ``build_room`` is the parent's side. A process of its own because DuckDB gives a file
to one process at a time, and whatever comes next must find it free.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from rongtong.console import ProgressCallback
from rongtong.day.merge import local_tables
from rongtong.dbt_parsed import NotParsed, parsed_project
from warehouse.home import PROJECT, Home
from warehouse.pseudonym import FOLDER_VARIABLE

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


def build_room(
    room: str,
    home: Home,
    run_id: str,
    variables: dict[str, Any],
    progress: ProgressCallback | None = None,
    *,
    work_file: Path | None = None,
) -> None:
    """Run dbt for ``room`` of run ``run_id``; ``variables`` become dbt's vars (``as_of``, ``run_id``, ...).

    ``work_file``: the file to build in, if that is not the run's own.

    Raises ``RoomFailed`` with the first model or test that failed. dbt's own log may quote values of people and stays
    in the run's private folder.
    """
    folder = home.run_folder(run_id)
    log_folder = folder / "dbt"
    log_folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "RONGTONG_WORK_FILE": str(work_file or home.work_file(run_id)),
        "RONGTONG_TEMP_FOLDER": str(folder / "temp"),
        "RONGTONG_DBT_TARGET": str(home.root / ("dbt" if work_file is None else "dbt-small")),
        FOLDER_VARIABLE: str(home.root),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        # What dbt tells of the whole project in files costs a second per invocation, and a run reads none of it.
        "DBT_WRITE_JSON": os.environ.get("DBT_WRITE_JSON", "false"),
        "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }
    where = [PROJECT / "dbt_project", home.root / "dbt", log_folder]
    command = [sys.executable, "-m", "rongtong.dbt_room", room, *map(str, where), json.dumps(variables)]
    failures: list[str] = []
    with (
        (log_folder / f"{room}.err").open("w", encoding="utf-8") as errors,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True) as child,
    ):
        assert child.stdout is not None
        for line in child.stdout:
            if not line.startswith("{"):
                continue
            node = json.loads(line)
            if node["status"] in ("error", "fail"):
                failures.append(node["node"])
            if progress is not None:
                progress(node["done"], None, node["node"])
    if child.returncode != 0:
        what = f"{failures[0]} failed" if failures else "dbt could not read its models"
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise RoomFailed(f"room {room}: {what}{more}; read {log_folder / 'dbt.log'} and mend the model or its input.")


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


def main(arguments: list[str]) -> int:
    """The child: 0 when every invocation of the room succeeded, 1 otherwise.

    Arguments: the room, the folders of the project, of what is kept of parsing and of the log, and dbt's vars as JSON.
    """
    from dbt.cli.main import dbtRunner

    room, project, kept, log_folder, variables = arguments
    options = ["--project-dir", project, "--profiles-dir", project, "--log-path", log_folder, "--vars", variables]
    options += ["--log-level", "none", "--log-level-file", "info"]
    try:
        runner = dbtRunner(manifest=parsed_project(Path(project), Path(kept), options), callbacks=[_Teller()])
    except NotParsed as reason:
        _log(log_folder, reason)
        return 1
    for selection in ROOMS[room]:
        outcome = runner.invoke([*selection, *options, "--indirect-selection", "buildable", "--fail-fast"])
        if not outcome.success:
            _log(log_folder, outcome.exception)
            return 1
    return 0


def _log(folder: str, reason: BaseException | None) -> None:
    if reason is not None:
        with Path(folder, "dbt.log").open("a", encoding="utf-8") as log:
            log.write(f"\n{reason}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
