"""Readers ask published tables, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from warehouse import history
from warehouse.home import Home
from warehouse.lake import Snapshot
from warehouse.rooms import PUBLISHED, RECORDS, rooms_of


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("SELECT * FROM read_text('{file}')", id="a file"),
        pytest.param("SELECT * FROM '{file}'", id="a file named as a table"),
        pytest.param("SELECT (SELECT content FROM read_text('{file}'))", id="a file in a subquery"),
        pytest.param("WITH a AS (FROM read_csv('{file}')) SELECT * FROM a", id="a file in a common table expression"),
        pytest.param("FROM sqlite_scan('{catalog}', 'ducklake_snapshot')", id="a database through a scanner"),
        pytest.param("FROM query('SELECT 1')", id="other SQL as a table"),
        pytest.param("FROM glob('/*')", id="names of files"),
        pytest.param("DROP TABLE citizens", id="a drop"),
        pytest.param("INSERT INTO citizens SELECT * FROM citizens", id="an insertion"),
        pytest.param("DELETE FROM citizens", id="a deletion"),
        pytest.param("COPY citizens TO '{file}.csv'", id="a copy to a file"),
        pytest.param("ATTACH '{file}' AS other", id="another database"),
        pytest.param("SET enable_external_access = true", id="a setting"),
        pytest.param("CALL ducklake_expire_snapshots('published', older_than => now())", id="a procedure"),
        pytest.param("FROM ducklake_expire_snapshots('published')", id="a procedure as a table"),
        pytest.param("SELECT 1; SELECT 2", id="two statements"),
        pytest.param("", id="nothing"),
        pytest.param("SELEC 1", id="a mistyped word"),
        pytest.param("SELECT * FROM nothing_of_that_name", id="an unknown table"),
        pytest.param("SELECT CAST(name_masked AS INTEGER) FROM citizens", id="a value that cannot be cast"),
    ],
)
def test_a_query_may_not_do_more_than_read_published_tables(
    home_with_one_run: tuple[Home, Snapshot], tmp_path: Path, sql: str
) -> None:
    home, snapshot = home_with_one_run
    file = tmp_path / "secret.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(history.QueryRefused) as refused:
        history.query(home, sql.format(file=file, catalog=home.published / "catalog.sqlite")).fetchall()
    assert "\n" not in str(refused.value)
    assert history.current_snapshot(home) == snapshot


def test_queries_name_tables_without_their_schema(home: Home, publish_run: Callable[..., Snapshot]) -> None:
    first = publish_run()
    publish_run("DELETE FROM golden.citizens WHERE birth_year = 1935")
    answer = history.query(home, "SELECT life_status, count(*) AS n FROM citizens GROUP BY ALL ORDER BY n DESC")
    assert [column[0] for column in answer.description] == ["life_status", "n"]
    assert answer.fetchall() == [("alive", 26), ("deceased", 3)]
    version = first.snapshot_id
    assert history.query(home, f"SELECT count(*) FROM citizens AT (VERSION => {version})").fetchall() == [(30,)]
    assert history.query(home, "SELECT max(range) FROM range(3)").fetchall() == [(2,)]


def test_an_export_is_one_file_per_table(home: Home, publish_run: Callable[..., Snapshot], tmp_path: Path) -> None:
    publish_run()
    folder = tmp_path / "a" / "export"
    files = history.export(home, folder)
    names = {room.name for room in rooms_of(PUBLISHED)} | set(RECORDS)
    assert {file.name for file in files} == {f"{name}.parquet" for name in names}
    assert sorted(folder.iterdir()) == sorted(files)
    with duckdb.connect() as connection:
        for room in rooms_of(PUBLISHED):
            types = dict(
                row[:2]
                for row in connection.execute(f"DESCRIBE FROM read_parquet('{folder / room.name}.parquet')").fetchall()
            )
            for column, kind in room.columns.items():
                assert types[column] == kind, f"{room.name}.{column}"
    publish_run("DELETE FROM golden.citizens WHERE birth_year = 1935")
    history.export(home, folder)
    with duckdb.connect() as connection:
        exported = connection.execute(f"SELECT count(*) FROM read_parquet('{folder}/citizens.parquet')").fetchone()
    assert exported == (29,)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_export_into_a_closed_folder_is_an_os_error(
    home: Home, publish_run: Callable[..., Snapshot], tmp_path: Path
) -> None:
    publish_run()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(OSError):
        history.export(home, closed)
