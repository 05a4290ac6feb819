"""Rows per second and peak memory of our landings, side by side with plain DuckDB and with dlt.

dlt does two jobs. ``append`` only adds the rows to Parquet files. ``history`` is the job that our landing does: both
keep every earlier state and find changed rows by a digest of their content; ours judges every row besides. Two sizes of
a table and of a single file show whether memory follows the delivery.

Each measurement is a process of its own; the table shows medians. ``--only postgres`` or ``--only files`` runs a part;
``--without-dlt`` where the package index cannot be reached.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.city_records import DATABASE, change_marriages, fill_marriages, write_one_file, write_payments
from simulation.systems.postgres import PostgresServer
from warehouse.home import PROJECT

# pandas: dlt digests Arrow tables with it.
DLT = (
    "dlt[sql_database,parquet,filesystem,duckdb]==1.31.0",
    "psycopg2-binary==2.9.13",
    "adbc-driver-postgresql==1.13.0",
    "pandas==3.1.1",
)
DLT_JOBS = (("append", "adbc"), ("append", "pyarrow"), ("history", "adbc"), ("history", "pyarrow"))
# What dlt does in a job, in the words of the table.
DONE_BY_DLT = {
    "append": "adds rows, compares nothing",
    "history": "scd2: keeps every state, as our landing does",
}
WHAT_IS_TIMED = """
Every job is timed in a process of its own, from its call to its end; starting Python and importing the job's module
come before, as in a task of the scheduler. A landing's time holds all it does: contract, engine and its extensions,
connection, snapshot, judging, commit. Ours and dlt's history are the same job, save that dlt judges no row."""
CHANGED_ROWS = 2_000
# How many times larger the second table and the second file are.
LARGER_TABLE, LARGER_FILE = 3, 4
# The larger workbook must fit into a sheet, which holds 1,048,576 rows.
WORKBOOK_SHARE = 5


@dataclass(frozen=True)
class Measurement:
    """One job once: wall and CPU seconds of our process (not the server's), rows, peak memory in MB."""

    wall: float
    cpu: float
    rows: int
    peak_mb: float


@dataclass(frozen=True)
class Line:
    """One line of the table: medians of a job, and the line it is compared with, by time or by peak memory."""

    name: str
    medians: Measurement
    compared_with: str | None = None
    of_peaks: bool = False


def measure(command: list[str]) -> Measurement:
    """Run one child and read what it printed last. Raises ``RuntimeError`` when it failed."""
    # Else what it writes waits until what was written before is on the disk.
    os.sync()
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} failed: {done.stderr.strip()[-800:]}")
    return Measurement(**json.loads(done.stdout.strip().splitlines()[-1]))


def median_of(repeats: int, once: Callable[[int], Measurement]) -> Measurement:
    """Medians over ``repeats`` runs; the peak is the highest seen."""
    taken = [once(turn) for turn in range(repeats)]
    return Measurement(
        statistics.median(one.wall for one in taken),
        statistics.median(one.cpu for one in taken),
        taken[0].rows,
        max(one.peak_mb for one in taken),
    )


def ours(job: str, *arguments: object) -> list[str]:
    """The command of one of our own measurements."""
    return [sys.executable, "-m", "benchmarks.measured", job, *map(str, arguments)]


def bench_postgres(folder: Path, rows: int, repeats: int, dlt: bool) -> list[Line]:
    """A table of marriages: everything at first, then a day with 2,000 changes."""
    server = PostgresServer(folder / "postgres").start()
    try:
        say(f"filling a table with {rows:,} marriages")
        fill_marriages(server, rows)
        uri = server.uri(DATABASE)
        home, landed = folder / "home", folder / "landed"

        def first(_turn: int) -> Measurement:
            shutil.rmtree(home, ignore_errors=True)
            return measure(ours("land_source", "marriage", uri, home))

        def small_day(_turn: int) -> Measurement:
            # The same day each time: what landed yesterday would be read again with the overlap.
            shutil.rmtree(home)
            shutil.copytree(landed, home)
            return measure(ours("land_source", "marriage", uri, home))

        say("DuckDB COPY")
        copied = median_of(repeats, lambda _: measure(ours("copy_table", uri, folder / "copied.parquet")))
        lines = [Line("DuckDB COPY to Parquet", copied)]
        say("landing")
        lines.append(Line("landing, everything", median_of(repeats, first), "DuckDB COPY to Parquet"))
        say(f"landing a day with {CHANGED_ROWS:,} changes")
        shutil.copytree(home, landed)
        change_marriages(server, CHANGED_ROWS)
        lines.append(Line("landing, 2,000 changes", median_of(repeats, small_day), "landing, everything"))
        for job, backend in DLT_JOBS if dlt else ():
            say(f"dlt {job} ({backend})")
            python = dlt_python(folder)

            def with_dlt(_turn: int, job: str = job, backend: str = backend, python: Path = python) -> Measurement:
                shutil.rmtree(folder / "dlt", ignore_errors=True)
                return measure([str(python), "benchmarks/with_dlt.py", job, backend, uri, str(folder / "dlt")])

            lines.append(
                Line(f"dlt {backend}, {DONE_BY_DLT[job]}", median_of(repeats, with_dlt), "landing, everything")
            )
        say(f"filling a table with {LARGER_TABLE * rows:,} marriages")
        fill_marriages(server, LARGER_TABLE * rows)
        say("landing the larger table")
        lines.append(Line("landing, larger table", first(0), "landing, everything", of_peaks=True))
        return lines
    finally:
        server.stop()


def dlt_python(folder: Path) -> Path:
    """Python of an environment with dlt, made at the first question; no dependency of ours."""
    python = folder / "dlt-environment" / "bin" / "python"
    if not python.exists():
        uv = PROJECT / ".uv" / "bin" / "uv"
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
        subprocess.run([str(uv), "pip", "install", "-q", "--python", str(python), *DLT], check=True)
    return python


def bench_one_file(folder: Path, rows: int, kind: str) -> list[Line]:
    """A single file (``csv`` or ``xlsx``), and one that is larger: the peak should be the same."""
    lines: list[Line] = []
    for times in (1, LARGER_FILE):
        inbox, home = folder / f"one-{times}", folder / "home-one"
        shutil.rmtree(inbox, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)
        say(f"landing one {kind.upper()} file of {times * rows:,} payments")
        write_one_file(inbox, times * rows, kind)
        landed = measure(ours("land_source", "allowance", f"file://{inbox}", home))
        name = f"landing one {kind.upper()}" if times == 1 else f"landing one larger {kind.upper()}"
        lines.append(Line(name, landed, lines[0].name if lines else None, of_peaks=True))
        shutil.rmtree(inbox)
    return lines


def bench_files(folder: Path, rows: int, repeats: int) -> list[Line]:
    """Payment files of all districts and months against the same rows in clean UTF-8."""
    inbox, clean, home = folder / "inbox", folder / "clean", folder / "home"
    for place in (inbox, clean):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    say("writing payment files")
    say(f"{write_payments(inbox, clean, rows):,} payments written")

    def land_files(_turn: int) -> Measurement:
        shutil.rmtree(home, ignore_errors=True)
        return measure(ours("land_source", "allowance", f"file://{inbox}", home))

    say("DuckDB read_csv")
    read = median_of(repeats, lambda _: measure(ours("read_clean_files", clean)))
    say("landing the files")
    landed = median_of(repeats, land_files)
    return [
        Line("DuckDB read_csv, clean UTF-8", read),
        Line("landing 276 files", landed, "DuckDB read_csv, clean UTF-8"),
    ]


def show(lines: list[Line]) -> None:
    """Print the table."""
    by_name = {line.name: line.medians for line in lines}
    named = max(len(line.name) for line in lines) + 1
    header = ("", "wall s", "CPU s", "rows", "rows/s", "peak MB", "ratio")
    print(
        f"\n{header[0]:<{named}}{header[1]:>9}{header[2]:>9}{header[3]:>12}{header[4]:>12}{header[5]:>9}  {header[6]}"
    )
    for line in lines:
        one, ratio = line.medians, ""
        if line.compared_with is not None:
            other = by_name[line.compared_with]
            share = one.peak_mb / other.peak_mb if line.of_peaks else one.wall / other.wall
            ratio = "peak " if line.of_peaks else ""
            ratio += f"{share:.2f} × {line.compared_with}" if share >= 0.1 else f"{share:.1%} of {line.compared_with}"
        print(
            f"{line.name:<{named}}{one.wall:>9.2f}{one.cpu:>9.2f}{one.rows:>12,}{one.rows / one.wall:>12,.0f}"
            f"{one.peak_mb:>9,.0f}  {ratio}"
        )
    print(WHAT_IS_TIMED)


def say(text: str) -> None:
    """Tell what is being done."""
    print(f"bench-ingest · {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Run the parts that are asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, prog="make bench-ingest")
    parser.add_argument("--only", choices=("postgres", "files"))
    parser.add_argument("--without-dlt", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--marriages", type=int, default=1_000_000)
    parser.add_argument("--payments", type=int, default=1_100_000)
    parser.add_argument("--one-file", type=int, default=1_000_000, help="payments in the smaller single file")
    parser.add_argument("--folder", type=Path, help="where to work; kept. A temporary folder, removed, unless told")
    said = parser.parse_args()
    folder = said.folder or Path(tempfile.mkdtemp(prefix="bench-ingest-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    lines: list[Line] = []
    try:
        if said.only in (None, "postgres"):
            lines += bench_postgres(folder, said.marriages, said.repeats, not said.without_dlt)
        if said.only in (None, "files"):
            lines += bench_files(folder, said.payments, said.repeats)
            lines += bench_one_file(folder, said.one_file, "csv")
            lines += bench_one_file(folder, said.one_file // WORKBOOK_SHARE, "xlsx")
    finally:
        if said.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    show(lines)


if __name__ == "__main__":
    main()
