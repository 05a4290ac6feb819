"""Every published table and column says what it means, in English and Chinese, to whoever reads the lake."""

from __future__ import annotations

import re
from typing import Any

from rongtong.meanings import read_meanings
from warehouse import lake
from warehouse.home import Home
from warehouse.rooms import PUBLISHED, RESTRICTED


def test_a_run_publishes_the_meaning_of_every_table_and_column(published: Any) -> None:
    for name, opened in ((PUBLISHED, lake.open_published), (RESTRICTED, lake.open_restricted)):
        with opened(Home(published.home)) as connection:
            told = connection.execute(
                "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = ?"
                " UNION ALL"
                " SELECT concat_ws('.', table_name, column_name), comment FROM duckdb_columns()"
                " WHERE database_name = ? AND schema_name = 'civil'",
                [name, name],
            ).fetchall()
        assert len(told) > 30
        assert [place for place, text in told if not re.search(r"[a-z].*[\u4e00-\u9fff]", text or "", re.S)] == []


def test_every_meaning_is_of_a_table_that_is_declared() -> None:
    assert {name for name, meaning in read_meanings().items() if not (meaning.table and meaning.columns)} == set()
