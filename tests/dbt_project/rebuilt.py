"""Small cities rebuilt many times: the SQL that dbt compiled of the project's models, run in one process in memory.

dbt takes seconds to start and to plan; a random history needs several builds. What is run is what dbt compiled for the
session's work file: the same models, in the order of their references, with the name of the run put in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb
from case_book import RUN

ROOMS = ("intermediate", "golden", "findings", "handovers")
# Pseudonyms are a function of the drawn tasks, row by row; the engine's function for them needs keys on a disk.
LEFT_OUT = ("handover_microgrid_tasks", "handover_after_death", "handover_pseudonyms", "int_days__spine")
COPIED = ("staging", "identity", "landing", "history", "reference")


@dataclass(frozen=True)
class Model:
    """One compiled model."""

    relation: str
    materialized: str
    sql: str


def compiled_models(target: Path) -> list[Model]:
    """The models behind staging in the order of their references, from dbt's target folder."""
    nodes = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    models = {
        key: node
        for key, node in nodes.items()
        if node["resource_type"] == "model" and node["schema"] in ROOMS and node["name"] not in LEFT_OUT
    }
    order = TopologicalSorter({key: set(node["depends_on"]["nodes"]) & set(models) for key, node in models.items()})
    return [
        Model(
            f"{models[key]['schema']}.{models[key]['name']}",
            models[key]["config"]["materialized"],
            (target / "compiled" / "rongtong" / models[key]["original_file_path"]).read_text(encoding="utf-8"),
        )
        for key in order.static_order()
        if models[key]["config"]["materialized"] != "ephemeral"
    ]


@contextmanager
def city_of(work_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A city in memory with the inputs of a work file: staging, identity, landing, the last snapshot, the ledger."""
    with duckdb.connect() as city:
        city.execute(f"attach '{work_file}' as built (read_only)")
        city.execute("attach ':memory:' as work")
        city.execute("use work")
        for schema in (*ROOMS, *COPIED):
            city.execute(f"create schema {schema}")
        names = city.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'built'"
            " and list_contains(?, schema_name)",
            [list(COPIED)],
        ).fetchall()
        for schema, table in names:
            city.execute(f"create table {schema}.{table} as from built.{schema}.{table}")
        city.execute("detach built")
        yield city


def rebuild(city: duckdb.DuckDBPyConnection, models: Iterable[Model], run_id: str = RUN) -> None:
    """Build every model anew as the run ``run_id``."""
    for model in models:
        kind = "view" if model.materialized == "view" else "table"
        sql = model.sql.replace(f"'{RUN}'", f"'{run_id}'")
        city.execute(f"create or replace {kind} {model.relation} as {sql}")


def publish(city: duckdb.DuckDBPyConnection) -> None:
    """Let what was built be what the next run finds as published."""
    city.execute("create or replace table history.findings as from findings.findings")
    city.execute("create or replace table history.deliveries as from golden.deliveries")


def differences(city: duckdb.DuckDBPyConnection, one: str, other: str, without: str = "") -> int:
    """How many rows stand in one of two relations only, of columns but those ``without``."""
    columns = f"* exclude ({without})" if without else "*"
    row = city.execute(
        f"""select count(*) from (
            (select {columns} from {one} except all select {columns} from {other})
            union all (select {columns} from {other} except all select {columns} from {one}))"""
    ).fetchone()
    assert row is not None
    return int(row[0])
