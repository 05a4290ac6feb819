"""The same job done by dlt, in an environment of its own: a table of a PostgreSQL server, appended to Parquet files or
kept with every earlier state.

Usage: with_dlt.py <append|history> <adbc|pyarrow|sqlalchemy> <connection URI> <folder>. Prints one line of JSON.

``append`` adds the rows to Parquet files and compares nothing. ``history`` is dlt's own way to do what our landing
does: merge with the strategy scd2, which finds changed rows by a digest of their content and keeps the earlier ones,
into its DuckDB destination. It judges no row.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
job, backend, uri, folder = sys.argv[1:]
os.environ["DLT_DATA_DIR"] = f"{folder}/state"

import dlt  # noqa: E402 - reads the settings above while it is imported
from dlt.sources.helpers.transform import add_row_hash_to_table  # noqa: E402 - imports dlt
from dlt.sources.sql_database import sql_table  # noqa: E402 - imports dlt

BATCH_ROWS = 100_000


@dlt.resource(name="registration", primary_key="id")
def registrations() -> Iterator[Any]:
    """Arrow batches of the table, by the fastest driver there is."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(uri) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM hydj.registration")
        yield from cursor.fetch_record_batch()


def read_table() -> Any:
    """The resource of the table by the backend that was asked for."""
    if backend == "adbc":
        return registrations()
    return sql_table(
        uri.replace("postgresql://", "postgresql+psycopg2://"),
        table="registration",
        schema="hydj",
        backend=backend,
        chunk_size=BATCH_ROWS,
        reflection_level="full",
    )


source = read_table()
if job == "history":
    strategy: dict[str, Any] = {"disposition": "merge", "strategy": "scd2"}
    if backend != "sqlalchemy":
        # dlt computes the digest of plain rows by itself, that of Arrow tables when it is asked to.
        source.add_map(add_row_hash_to_table("row_hash"))
        strategy["row_version_column_name"] = "row_hash"
    source.apply_hints(write_disposition=strategy)
    destination: Any = dlt.destinations.duckdb(f"{folder}/history.duckdb")
else:
    source.apply_hints(write_disposition="append")
    destination = dlt.destinations.filesystem(f"file://{folder}/lake")
pipeline = dlt.pipeline(
    "registration", destination=destination, dataset_name="marriage", pipelines_dir=f"{folder}/pipelines"
)
before = resource.getrusage(resource.RUSAGE_SELF)
begun = time.perf_counter()
pipeline.run(source, loader_file_format="parquet")
wall = time.perf_counter() - begun
counts = pipeline.last_trace.last_normalize_info.row_counts
own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
print(
    json.dumps(
        {
            "wall": wall,
            "cpu": own.ru_utime
            + own.ru_stime
            - before.ru_utime
            - before.ru_stime
            + children.ru_utime
            + children.ru_stime,
            "rows": counts["registration"],
            "peak_mb": max(own.ru_maxrss, children.ru_maxrss) / 1024,
        }
    )
)
