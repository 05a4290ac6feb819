"""What a day's run keeps and says beside what a full run keeps and says: every table, but for the ids minted today."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from identity.kept import KEPT_FILE
from identity.resolve import ResolveResult, resolve
from warehouse.duck import connect
from warehouse.home import Home

TABLES = ("mention", "node", "block", "scored", "edge", "node_cluster", "life", "decided", "review")


def resolve_both_ways(work_file: Path, home: Home, run_id: str) -> ResolveResult:
    """Run in ``home``, which uses what was kept, and anew in a copy of it; assert that both say the same."""
    copy, other_file = home.root.with_name("anew"), work_file.with_name("anew.duckdb")
    shutil.rmtree(copy, ignore_errors=True)
    if home.root.exists():
        shutil.copytree(home.root, copy)
    shutil.copy(work_file, other_file)
    result = resolve(work_file, home, run_id)
    again = resolve(other_file, Home(copy), run_id, anew=True)
    assert again.changed is None
    with connect() as connection:
        for name, file in (("day", work_file), ("anew", other_file)):
            connection.execute(f"ATTACH '{file}' AS {name} (READ_ONLY)")
        for name, root in (("day_kept", home), ("anew_kept", Home(copy))):
            connection.execute(f"ATTACH '{root.identity / KEPT_FILE}' AS {name} (READ_ONLY)")
        for table in TABLES:
            assert differences(connection, f"SELECT * FROM {{}}_kept.{table}") == [], table
        _compare_links(connection, run_id)
    figures = ("mentions", "nodes", "pairs", "citizens", "by_method", "review_pairs", "ids", "decisions")
    for name in figures:
        assert getattr(result, name) == getattr(again, name), name
    return result


def _compare_links(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    # An id minted today is another in each home: it is named by the first mention of its citizen.
    connection.execute(
        f"""
        CREATE TABLE minted AS
        SELECT d.citizen_id AS day_id, a.citizen_id AS anew_id, min(mention_key) AS first
        FROM day.identity.mention_links AS d JOIN anew.identity.mention_links AS a USING (mention_key)
        WHERE d.citizen_id <> a.citizen_id
          AND d.citizen_id IN (SELECT citizen_id FROM day.identity.citizens WHERE first_run_id = '{run_id}')
          AND a.citizen_id IN (SELECT citizen_id FROM anew.identity.citizens WHERE first_run_id = '{run_id}')
        GROUP BY ALL
        """
    )
    one_to_one = connection.execute(
        "SELECT count(*) = count(DISTINCT day_id) AND count(*) = count(DISTINCT anew_id) FROM minted"
    ).fetchall()
    assert one_to_one == [(True,)], "the partition is another"
    for run in ("day", "anew"):
        connection.execute(
            f"""
            CREATE VIEW {run}_links AS
            SELECT l.* REPLACE (coalesce(m.first, l.citizen_id) AS citizen_id)
            FROM {run}.identity.mention_links AS l LEFT JOIN minted AS m ON m.{run}_id = l.citizen_id;
            CREATE VIEW {run}_citizens AS
            SELECT c.* REPLACE (coalesce(m.first, c.citizen_id) AS citizen_id)
            FROM {run}.identity.citizens AS c LEFT JOIN minted AS m ON m.{run}_id = c.citizen_id;
            CREATE VIEW {run}_redirects AS
            SELECT r.old_citizen_id, coalesce(m.first, r.citizen_id) AS citizen_id, r.reason, r.run_id
            FROM {run}.identity.redirects AS r LEFT JOIN minted AS m ON m.{run}_id = r.citizen_id
            """
        )
    for query in (
        "SELECT * FROM {}_links", "SELECT * FROM {}_citizens", "SELECT * FROM {}_redirects",
        "SELECT * FROM {}.identity.review_pairs", "SELECT * FROM {}.identity.decision_reports",
        "SELECT * FROM {}.identity.scored_pairs",
    ):  # fmt: skip
        assert differences(connection, query) == [], query


def differences(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[object, ...]]:
    """Rows of ``query`` (with the run's name in the braces) that only one of both runs has."""
    day, anew = query.format("day"), query.format("anew")
    return connection.execute(
        f"(SELECT 'day', * FROM ({day} EXCEPT ALL {anew})) UNION ALL (SELECT 'anew', * FROM ({anew} EXCEPT ALL {day}))"
    ).fetchall()
