"""What a work file's golden tables rest on, and whether the next run may start from them.

Nothing is kept but the work file of the run before, as it stands in that run's folder. It bears a mark: the code that
built it, the day it speaks of, and how far it came. A run copies the newest file that bears today's mark and brings it
up to date; where none does, everything is built whole. Deleting run folders is always safe.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

import duckdb

from warehouse import digest, duck
from warehouse.home import PROJECT, Home
from warehouse.run import runs

# A city of fewer mentions is built whole: starting dbt once more takes longer than that.
SMALL_CITY = 200_000
# Schemas of the file before that this run's staging and landing write anew. Identity brings its own up to date.
_WRITTEN_ANEW = ("staging", "landing", "history", "reference")
BUILT, CARRIED, MERGED = "built", "carried", "merged"


@dataclass(frozen=True)
class Standing:
    """The mark of a work file: its golden tables are those of run ``run_id`` and day ``as_of`` under this code.

    ``state``: ``built`` (up to the findings), ``carried`` (copied into the next run, still the run before's) or
    ``merged`` (golden is this run's, findings are not yet). ``week_moved``: a week became due since the run before.
    """

    fingerprint: str
    run_id: str
    as_of: date
    state: str
    week_moved: bool = False


def fingerprint_of(shadow_sources: Iterable[str]) -> str:
    """A digest of what golden tables follow from beside their input rows: engine, dbt, models, seeds, this code."""
    told = hashlib.sha256(f"{duckdb.__version__} {version('dbt-core')} {version('dbt-duckdb')}".encode())
    told.update(repr(sorted(shadow_sources)).encode())
    project = PROJECT / "dbt_project"
    files = [file for folder in ("models", "macros", "seeds") for file in sorted((project / folder).rglob("*.*"))]
    here = sorted(Path(__file__).parent.glob("*.py"))
    for file in [project / "dbt_project.yml", project / "profiles.yml", *files, *here, Path(digest.__file__)]:
        told.update(f"{file.name}\0".encode() + file.read_bytes())
    return told.hexdigest()


def read_standing(connection: duckdb.DuckDBPyConnection, database: str = "work") -> Standing | None:
    """The mark of an open work file, if it bears one."""
    try:
        rows = connection.execute(f"SELECT * FROM {database}.day.standing").fetchall()
    except duckdb.CatalogException:
        return None
    return Standing(*rows[0]) if rows else None


def write_standing(connection: duckdb.DuckDBPyConnection, standing: Standing | None) -> None:
    """Mark the open work file; None takes the mark away."""
    connection.execute(
        "CREATE SCHEMA IF NOT EXISTS work.day; CREATE TABLE IF NOT EXISTS work.day.standing"
        " (fingerprint VARCHAR, run_id VARCHAR, as_of DATE, state VARCHAR, week_moved BOOLEAN);"
        "DELETE FROM work.day.standing"
    )
    if standing is not None:
        connection.execute(
            "INSERT INTO work.day.standing VALUES (?, ?, ?, ?, ?)",
            [standing.fingerprint, standing.run_id, standing.as_of, standing.state, standing.week_moved],
        )


def take_over(home: Home, run_id: str, fingerprint: str) -> str | None:
    """Begin the run's work file with the newest one that stands: the id of its run; None where there is none."""
    for record in reversed(runs(home)):
        file = home.work_file(record.run_id)
        if record.run_id == run_id or not file.exists():
            continue
        if Path(f"{file}.wal").exists() or not _stands(file, fingerprint):
            return None
        shutil.copyfile(file, home.work_file(run_id))
        with duck.connect(home.work_file(run_id)) as connection:
            before = read_standing(connection)
            assert before is not None
            for schema in (*_WRITTEN_ANEW, "day"):
                connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
            write_standing(connection, Standing(fingerprint, before.run_id, before.as_of, CARRIED))
        return record.run_id
    return None


def is_large(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the city of an open work file, linked by identity, is one that days are brought up to date of."""
    return int(connection.execute("SELECT count(*) FROM identity.mention_links").fetchall()[0][0]) >= SMALL_CITY


def _stands(file: Path, fingerprint: str) -> bool:
    try:
        with duck.connect(file, read_only=True) as connection:
            standing = read_standing(connection)
            if standing is None or (standing.fingerprint, standing.state) != (fingerprint, BUILT):
                return False
            return is_large(connection)
    except duckdb.Error:
        # What a broken machine leaves, or another version of the engine.
        return False
