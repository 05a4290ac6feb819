"""One measurement in a process of its own. Usage: python -m benchmarks.measured <job> <arguments…>; prints JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.city_records import DATABASE
from ingest.connection import Connection
from ingest.land import LandingResult, land
from warehouse.duck import connect
from warehouse.home import Home


def copy_table(uri: str, file: str) -> int:
    """Plain DuckDB: the table to one Parquet file, with no judgement of anything."""
    reached = Connection.from_uri(DATABASE, uri)
    with connect(extensions=("icu", "postgres_scanner")) as duck:
        duck.execute(
            f"CREATE SECRET owner (TYPE postgres, HOST '{reached.host}', PORT {reached.port}, USER '{reached.login}', "
            f"PASSWORD '{reached.password}', DATABASE '{reached.path}')"
        )
        duck.execute("ATTACH '' AS owner (TYPE postgres, SECRET owner, READ_ONLY)")
        row = duck.execute(
            f"COPY (SELECT * FROM owner.hydj.registration) TO '{file}' (FORMAT parquet, COMPRESSION zstd)"
        ).fetchone()
    return 0 if row is None else int(row[0])


def land_source(source: str, uri: str, home: str) -> int:
    """Our landing of one source."""
    result: LandingResult = land(source, uri, Home(Path(home)))
    if result.error is not None or result.counts["deliveries_refused"]:
        raise SystemExit(f"{source}: {result.error or 'a delivery was refused'}")
    return result.counts["rows_read"]


def read_clean_files(folder: str) -> int:
    """Plain DuckDB: clean UTF-8 files into a table, with no judgement of anything."""
    with connect() as duck:
        duck.execute(f"CREATE TABLE payments AS SELECT * FROM read_csv('{folder}/*.csv')")
        row = duck.execute("SELECT count(*) FROM payments").fetchone()
    return 0 if row is None else int(row[0])


JOBS: dict[str, Callable[..., int]] = {
    "copy_table": copy_table,
    "land_source": land_source,
    "read_clean_files": read_clean_files,
}


def main() -> None:
    """Do the job named on the command line."""
    job, *arguments = sys.argv[1:]
    before = resource.getrusage(resource.RUSAGE_SELF)
    begun = time.perf_counter()
    rows = JOBS[job](*arguments)
    wall = time.perf_counter() - begun
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    used = own.ru_utime + own.ru_stime - before.ru_utime - before.ru_stime + children.ru_utime + children.ru_stime
    print(
        json.dumps({"wall": wall, "cpu": used, "rows": rows, "peak_mb": max(own.ru_maxrss, children.ru_maxrss) / 1024})
    )


if __name__ == "__main__":
    main()
