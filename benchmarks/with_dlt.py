"""The same job done by dlt, in an environment of its own: a table of a PostgreSQL server to Parquet files.

Usage: with_dlt.py <pyarrow|adbc> <connection URI> <folder>. Prints one line of JSON.
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
backend, uri, folder = sys.argv[1:]
os.environ["DLT_DATA_DIR"] = f"{folder}/state"

# dlt reads its settings while it is imported.
import dlt  # noqa: E402
from adbc_driver_postgresql import dbapi  # noqa: E402
from dlt.sources.sql_database import sql_table  # noqa: E402


@dlt.resource(name="registration", primary_key="id", write_disposition="append")
def registrations() -> Iterator[Any]:
    """Arrow batches of the table, by the fastest driver there is."""
    with dbapi.connect(uri) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM hydj.registration")
        yield from cursor.fetch_record_batch()


pipeline = dlt.pipeline(
    "registration",
    destination=dlt.destinations.filesystem(f"file://{folder}/lake"),
    dataset_name="marriage",
    pipelines_dir=f"{folder}/pipelines",
)
begun = time.perf_counter()
if backend == "adbc":
    source: Any = registrations()
else:
    source = sql_table(
        uri.replace("postgresql://", "postgresql+psycopg2://"),
        table="registration",
        schema="hydj",
        backend="pyarrow",
        chunk_size=100_000,
        reflection_level="full",
    )
pipeline.run(source, loader_file_format="parquet")
wall = time.perf_counter() - begun
counts = pipeline.last_trace.last_normalize_info.row_counts
own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
print(
    json.dumps(
        {
            "wall": wall,
            "cpu": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
            "rows": counts["registration"],
            "peak_mb": max(own.ru_maxrss, children.ru_maxrss) / 1024,
        }
    )
)
