"""Killed at any moment, a publication leaves the old snapshot or the new one; readers never see half of either."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
from invented_candidate import AS_OF, build_candidate, change
from published_candidate import passing_verdict

from warehouse import history, lake
from warehouse.home import PROJECT, Home
from warehouse.lake import open_published
from warehouse.publish import publish
from warehouse.rooms import PUBLISHED, RESTRICTED, rooms_of
from warehouse.run import begin_run

KILLS = 5

# Every table carries the mark of its run here, so that a mixture of two runs would show.
MARKS = {
    "citizens": "managing_district",
    "citizen_events": "date_precision",
    "benefit_months": "benefit",
    "care_visits": "kind",
    "findings": "last_seen_run",
}


def candidate(home: Home, citizens: int = 100) -> str:
    run_id = begin_run(home, AS_OF).run_id
    work_file = build_candidate(home.work_file(run_id), run_id, citizens)
    change(
        work_file,
        *(
            f"UPDATE {room.relation} SET {MARKS[room.name]} = '{run_id}'"
            for room in rooms_of(PUBLISHED)
            if room.name in MARKS
        ),
        f"UPDATE golden.citizen_attributes SET rule = '{run_id}'",
    )
    return run_id


def marks(home: Home) -> set[str]:
    """The runs whose rows a reader sees who comes now."""
    with open_published(home) as connection:
        return marks_seen(connection)


def marks_seen(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The runs whose rows are seen in one transaction, table after table."""
    connection.execute("BEGIN")
    last = f"SELECT arg_max(run_id, started_at) FROM {PUBLISHED}.civil.runs"
    seen = {connection.execute(last).fetchall()[0][0]}
    for table, column in MARKS.items():
        seen |= {
            row[0] for row in connection.execute(f"SELECT DISTINCT {column} FROM {PUBLISHED}.civil.{table}").fetchall()
        }
    connection.execute("COMMIT")
    return seen


def start_publisher(home: Home, run_id: str) -> subprocess.Popen[str]:
    folders = [str(PROJECT), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    child = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "publish_in_a_child.py"), str(home.root), run_id],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    return child


def test_a_killed_publication_leaves_the_old_or_the_new_snapshot(home: Home) -> None:
    chance = random.Random(20260120)
    former = candidate(home)
    publish(home.work_file(former), home, former, passing_verdict(home.work_file(former), former), AS_OF)
    whole = candidate(home)
    child = start_publisher(home, whole)
    started = time.monotonic()
    assert child.wait() == 0
    seconds = time.monotonic() - started
    assert marks(home) == {whole}
    former, old, new = whole, 0, 0
    for attempt in range(KILLS):
        run_id = candidate(home)
        child = start_publisher(home, run_id)
        # Spread over the whole publication, its beginning and its end included.
        time.sleep(seconds * (attempt + chance.random()) / KILLS)
        child.send_signal(signal.SIGKILL)
        child.wait()
        seen = marks(home)
        assert seen in ({former}, {run_id})
        if seen == {run_id}:
            former, new = run_id, new + 1
        else:
            old += 1
        with lake.open_restricted(home) as connection:
            chosen = connection.execute(f"SELECT DISTINCT rule FROM {RESTRICTED}.civil.citizen_attributes").fetchall()
        # Evidence is whole too, and never behind the published tables.
        assert chosen in ([(former,)], [(run_id,)])
    assert old > 0, f"no publication was killed before its commit ({new} after it)"
    last = candidate(home)
    publish(home.work_file(last), home, last, passing_verdict(home.work_file(last), last), AS_OF)
    assert marks(home) == {last}


def test_readers_during_publications_see_one_run(home: Home) -> None:
    first = candidate(home)
    publish(home.work_file(first), home, first, passing_verdict(home.work_file(first), first), AS_OF)
    seen: list[set[str]] = []
    troubles: list[duckdb.Error] = []
    done = threading.Event()

    def read() -> None:
        with open_published(home) as connection:
            while not done.wait(0.2):
                try:
                    seen.append(marks_seen(connection))
                except duckdb.Error as trouble:
                    troubles.append(trouble)
                    return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    runs = [first]
    try:
        for _ in range(2):
            runs.append(candidate(home))
            child = start_publisher(home, runs[-1])
            assert child.wait() == 0
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not troubles
    assert len(seen) > 2
    assert all(len(runs_seen) == 1 for runs_seen in seen)
    assert set().union(*seen) <= set(runs)


def test_two_writers_wait_for_each_other(home: Home) -> None:
    runs = [candidate(home), candidate(home)]
    children = [start_publisher(home, run_id) for run_id in runs]
    assert [child.wait() for child in children] == [0, 0]
    assert {snapshot.run_id for snapshot in history.snapshots(home)} == set(runs)
