"""Run the real DAGs through Airflow to the end, without a scheduler: what the headless demo and CI do.

``python -m rongtong.airflow_street EVENTS_FD AS_OF`` is the child, started in the environment of
``rongtong.airflow_environment``. It runs every landing DAG, then follows Airflow's own asset queue: the citizen view
runs only when Airflow has queued it because all its landings are fresh. Each task run is a real one, recorded in
Airflow's database. What happens is told as JSON lines on the file descriptor EVENTS_FD; Airflow's log goes to standard
output, which the parent keeps in a file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from rongtong.airflow_environment import airflow_environment
from warehouse.home import PROJECT, Home

VIEW = "citizen_view"


def run_street(home: Home, connections: dict[str, str], as_of: str) -> Iterator[dict[str, Any]]:
    """Start the child and yield its events: a dict with ``event`` and more.

    ``migrated``; ``task`` (dag, task, state, seconds, error); ``progress`` (done, total, text); ``dag`` (dag, state);
    ``broken`` (files that Airflow cannot read); and last ``exit`` (code).
    """
    environment = os.environ | airflow_environment(home) | connections
    log_path = home.airflow / "street.log"
    reading, writing = os.pipe()
    with log_path.open("w", encoding="utf-8") as log:
        migrate = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"], env=environment, stdout=log, stderr=log, check=False
        )
        if migrate.returncode != 0:
            os.close(reading)
            os.close(writing)
            yield {"event": "exit", "code": migrate.returncode}
            return
        yield {"event": "migrated"}
        child = subprocess.Popen(
            [sys.executable, "-m", "rongtong.airflow_street", str(writing), as_of],
            env=environment,
            cwd=PROJECT,
            stdout=log,
            stderr=log,
            pass_fds=[writing],
        )
        os.close(writing)
        try:
            with os.fdopen(reading, encoding="utf-8") as events:
                for line in events:
                    yield json.loads(line)
            yield {"event": "exit", "code": child.wait()}
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()


class TaskListener:
    """An Airflow listener that tells the parent when a task starts and how it ends."""

    def __init__(self, events: TextIO) -> None:
        self._events = events
        self._began: dict[tuple[str, str], float] = {}

    def tell(self, **event: object) -> None:
        """One event to the parent."""
        self._events.write(json.dumps(event) + "\n")
        self._events.flush()

    def started(self, dag: str, task: str) -> None:
        """A task begins."""
        self._began[(dag, task)] = time.monotonic()
        self.tell(event="task", dag=dag, task=task, state="running")

    def ended(self, dag: str, task: str, state: str, error: str | None = None) -> None:
        """A task has ended; ``error`` is a sentence for a person."""
        seconds = time.monotonic() - self._began.get((dag, task), time.monotonic())
        self.tell(event="task", dag=dag, task=task, state=state, seconds=round(seconds, 1), error=error)


def _airflow_listener(listener: TaskListener) -> object:
    from airflow.listeners import hookimpl
    from airflow.sdk.exceptions import AirflowFailException

    class Hooks:
        @hookimpl
        def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
            listener.started(task_instance.dag_id, task_instance.task_id)

        @hookimpl
        def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
            listener.ended(task_instance.dag_id, task_instance.task_id, "success")

        @hookimpl
        def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
            # Only our own sentences are safe to show; another exception's text may quote a value of a person.
            sentence = str(error) if isinstance(error, AirflowFailException) else f"{type(error).__name__}, see the log"
            listener.ended(task_instance.dag_id, task_instance.task_id, "failed", sentence)

    return Hooks()


def _queued(dag_id: str) -> bool:
    """Whether every asset that ``dag_id`` waits for is noted; the notes are taken away, as Airflow's scheduler does."""
    from airflow.models.asset import AssetDagRunQueue, DagScheduleAssetReference
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    with create_session() as session:
        waits_for = set(
            session.scalars(
                select(DagScheduleAssetReference.asset_id).where(DagScheduleAssetReference.dag_id == dag_id)
            )
        )
        noted = set(session.scalars(select(AssetDagRunQueue.asset_id).where(AssetDagRunQueue.target_dag_id == dag_id)))
        if not waits_for or not waits_for <= noted:
            return False
        session.execute(delete(AssetDagRunQueue).where(AssetDagRunQueue.target_dag_id == dag_id))
    return True


def main(arguments: list[str]) -> int:
    """0 when every DAG run succeeded, 1 otherwise."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk.listener import get_listener_manager

    from rongtong import progress

    events_fd, as_of = arguments
    with os.fdopen(int(events_fd), "w", encoding="utf-8") as events:
        listener = TaskListener(events)
        last = 0.0

        def tell_progress(done: int, total: int | None, text: str) -> None:
            nonlocal last
            if time.monotonic() - last > 0.2:
                last = time.monotonic()
                listener.tell(event="progress", done=done, total=total, text=text)

        progress.listen(tell_progress)
        bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
        if bag.import_errors:
            listener.tell(event="broken", files=sorted(bag.import_errors))
            return 1
        # Registered after the bag: loading DAGs sets the manager up.
        get_listener_manager().add_listener(_airflow_listener(listener))
        states = {}
        for dag_id in sorted(dag_id for dag_id in bag.dags if dag_id.startswith("land_")):
            states[dag_id] = str(bag.dags[dag_id].test().state)
            listener.tell(event="dag", dag=dag_id, state=states[dag_id])
        if _queued(VIEW):
            states[VIEW] = str(bag.dags[VIEW].test(run_conf={"as_of": as_of}).state)
            listener.tell(event="dag", dag=VIEW, state=states[VIEW])
        else:
            states[VIEW] = "not queued"
        return 0 if all(state == "success" for state in states.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
