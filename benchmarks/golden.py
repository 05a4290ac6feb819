"""Golden, findings, figures and hand-overs of a whole city: seconds per model, peak memory, size of the work file.

The city is drawn as staging and identity hand it over (``benchmarks.city_shapes``); what is measured are the very dbt
invocations of a run, each room in a process of its own: by the clock, and in seconds of a core, which tell more where
others work on the machine too. ``--scale 0.01`` is a quick look.

    python -m benchmarks.golden --scale 1 --home FOLDER

``--days 2`` then lets days pass (``benchmarks.city_day``) and measures each: the copy of the work file, golden
and findings. The first day works out the digests of what was there before; those that follow find them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from benchmarks.city_day import live_a_day
from benchmarks.city_shapes import AS_OF, write_city
from rongtong.day import run as day
from rongtong.day import standing
from warehouse import duck
from warehouse.home import PROJECT, Home

RUN = "20251231T000000-bench"
# The seeds and the unions, which a run builds with its staging.
UNIONS = ["resource_type:seed", "int_*__unioned"]
SLOWEST = 15
# Of DuckDB; dbt and Python take the rest of the 12 GB that a city may need.
MEMORY_LIMIT = "10GB"


@dataclass(frozen=True)
class Measured:
    """One room: seconds by the clock and of a core, and seconds of each of its models and tests."""

    room: str
    wall: float
    cpu: float
    nodes: dict[str, float]


def build_unions(home: Home) -> None:
    """Seeds and unions of the drawn staging, by dbt. Raises ``RuntimeError`` with what dbt said."""
    folder = home.run_folder(RUN)
    project = str(PROJECT / "dbt_project")
    environment = os.environ | {
        "RONGTONG_WORK_FILE": str(home.work_file(RUN)),
        "RONGTONG_TEMP_FOLDER": str(folder / "temp"),
        "RONGTONG_DBT_TARGET": str(home.root / "dbt"),
    }
    command = [sys.executable, "-c", "import sys; from dbt.cli.main import cli; cli(sys.argv[1:])", "build"]
    command += [
        "--select",
        *UNIONS,
        "--indirect-selection",
        "buildable",
        "--project-dir",
        project,
        "--profiles-dir",
        project,
    ]
    command += ["--log-path", str(folder / "dbt"), "--vars", json.dumps({"as_of": AS_OF, "run_id": RUN})]
    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the unions failed: {done.stdout[-800:]}")


def measure(room: str, home: Home) -> Measured:
    """Build one room and read what each node took."""
    begun, used = time.perf_counter(), _cpu()
    variables = {"as_of": AS_OF, "run_id": RUN, "shadow_sources": []}
    if room == "unions":
        build_unions(home)
    elif room == "golden":
        day.build_golden(home, RUN, variables, None)
    else:
        day.build_findings(home, RUN, variables, None)
    wall = time.perf_counter() - begun
    results = json.loads((home.root / "dbt" / "run_results.json").read_text(encoding="utf-8"))["results"]
    nodes = {".".join(one["unique_id"].split(".")[2:]): float(one["execution_time"]) for one in results}
    return Measured(room, wall, _cpu() - used, nodes)


def measure_day(home: Home, number: int, scale: float, seed: int, *, payments: bool) -> str:
    """Let a day pass after the run before and bring golden and findings up to date; what that took, as text."""
    before, run_id = (RUN if n == 0 else f"20260101T{n:06d}-bench" for n in (number - 1, number))
    as_of = date.fromisoformat(AS_OF) + timedelta(days=number)
    variables = {"as_of": as_of.isoformat(), "run_id": run_id, "shadow_sources": []}
    home.private_folder(home.run_folder(run_id))
    fingerprint = standing.fingerprint_of([])
    begun, used = time.perf_counter(), _cpu()
    shutil.copyfile(home.work_file(before), home.work_file(run_id))
    copied, cpu_copied = time.perf_counter() - begun, _cpu() - used
    with duck.connect(home.work_file(run_id)) as work:
        live_a_day(work, scale, as_of.isoformat(), seed + number, payments=payments)
        carried = standing.Standing(fingerprint, before, as_of - timedelta(days=1), standing.CARRIED)
        standing.write_standing(work, carried)
    begun, used = time.perf_counter(), _cpu()
    told = day.build_golden(home, run_id, variables, None)
    golden = _cpu() - used
    day.build_findings(home, run_id, variables, None)
    wall, cpu = time.perf_counter() - begun, _cpu() - used
    return (
        f"{told}\nday {number:<6} {wall:8.1f} s {cpu:8.1f} s CPU (golden {golden:.1f}, findings {cpu - golden:.1f});"
        f" with the copy {wall + copied:.1f} s, {cpu + cpu_copied:.1f} s CPU"
    )


def _cpu() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + _cpu_of_children()


def _cpu_of_children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def report(measured: list[Measured], rows: dict[str, int], home: Home) -> str:
    """What was measured, as text: rooms, then the slowest nodes."""
    lines = [f"{number:12,} {shape}" for shape, number in rows.items()] + [""]
    lines += [f"{one.room:<10} {one.wall:8.1f} s {one.cpu:8.1f} s CPU  {len(one.nodes):4} nodes" for one in measured]
    wall, cpu = sum(one.wall for one in measured), sum(one.cpu for one in measured)
    lines += [f"{'together':<10} {wall:8.1f} s {cpu:8.1f} s CPU"]
    # One after the other: while a room is built nothing else is in memory.
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**20
    lines += [f"peak memory {peak:.1f} GB, work file {home.work_file(RUN).stat().st_size / 1e9:.1f} GB", ""]
    nodes = sorted(((seconds, name) for one in measured for name, seconds in one.nodes.items()), reverse=True)
    return "\n".join(lines + [f"{seconds:8.1f} s  {name}" for seconds, name in nodes[:SLOWEST]])


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.golden", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="1: the whole city; 0.01: a quick look")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--home", type=Path, help="keep the work file here, and take the city that is there already")
    parser.add_argument("--days", type=int, default=0, help="let so many days pass after the city was built")
    parser.add_argument("--payments", action="store_true", help="on these days two districts pay")
    asked = parser.parse_args()
    os.environ.setdefault("RONGTONG_MEMORY_LIMIT", MEMORY_LIMIT)
    # The seconds of each model stand in what dbt writes about a run, which a run itself leaves out: a second per room.
    os.environ["DBT_WRITE_JSON"] = "true"
    with tempfile.TemporaryDirectory() as folder:
        home = Home(asked.home or Path(folder))
        rows = draw_city(home, asked.scale, asked.seed)
        measured = [measure(room, home) for room in ("unions", "golden", "findings")]
        print(report(measured, rows, home), flush=True)
        for number in range(1, asked.days + 1):
            print(measure_day(home, number, asked.scale, asked.seed, payments=asked.payments), flush=True)


def draw_city(home: Home, scale: float, seed: int) -> dict[str, int]:
    """The city's work file; a drawn one is used again, and then no rows are told."""
    if home.work_file(RUN).exists():
        return {}
    home.run_folder(RUN).mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    rows = write_city(home.work_file(RUN), scale, seed)
    print(f"a city drawn in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    return rows


if __name__ == "__main__":
    main()
