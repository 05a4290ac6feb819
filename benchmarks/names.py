"""How many pairs of names a second our comparison by character judges, and how often strangers of one surname pass.

make bench-names ARGS="--pairs 4000000"
"""

from __future__ import annotations

import argparse
import time

import duckdb
import numpy as np
import pyarrow as pa

from identity import han
from identity.sound import read_names
from simulation.calendar import day
from simulation.people import raise_families
from warehouse.duck import connect

PERSONS, SEED, YEAR = 20_000, 5, 2025


def create_strangers(duck: duckdb.DuckDBPyConnection, pairs: int) -> None:
    """Create ``strangers``: pairs of persons who share the first character of their names, drawn by hash."""
    people = raise_families(np.random.default_rng(SEED), PERSONS, 1, 0, 1, YEAR, day(YEAR, 12, 31) + 20)
    duck.register("sounds", read_names(sorted(set(people.name.tolist()))))
    duck.register("people", pa.table({"person": range(PERSONS), "name": pa.array(people.name.tolist(), pa.string())}))
    duck.execute(
        f"""
        CREATE TABLE strangers AS
        WITH named AS (SELECT person, name, sound, substr(name, 1, 1) AS surname FROM people JOIN sounds USING (name))
        SELECT a.name AS a, a.sound AS sound_a, b.name AS b, b.sound AS sound_b
        FROM named AS a JOIN named AS b ON a.surname = b.surname AND a.person < b.person
        ORDER BY hash(a.person, b.person) LIMIT {pairs}
        """
    )


def main() -> None:
    """Print the shares of the levels and the pairs a second, on as many threads as a run has."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.names", description=__doc__)
    parser.add_argument("--pairs", type=int, default=3_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    with connect() as duck:
        han.create_macros(duck)
        create_strangers(duck, asked.pairs)
        seconds = []
        for _ in range(asked.repeats):
            began, used = time.perf_counter(), time.process_time()
            levels = duck.execute(
                "SELECT coalesce(name_agreement(a, sound_a, b, sound_b), 'none') AS level, count(*) AS pairs"
                " FROM strangers GROUP BY level ORDER BY pairs DESC, level"
            ).fetchall()
            seconds.append((time.perf_counter() - began, time.process_time() - used))
    pairs = sum(count for _, count in levels)
    for level, count in levels:
        print(f"{level:16s} {count:10,} {count / pairs:8.3%}")
    wall, cpu = sorted(seconds)[len(seconds) // 2]
    print(f"{pairs:,} pairs of strangers: {pairs / wall:,.0f} a second, {pairs / cpu:,.0f} a CPU second")


if __name__ == "__main__":
    main()
