"""A run from four real systems to a published snapshot, as a user sees it."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from rich.console import Console

from rongtong import summary
from warehouse.home import PROJECT, Home


@pytest.fixture(scope="module")
def exported(published: Any, rongtong: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("export")
    ended = rongtong(published.home, "export", str(folder))
    assert ended.code == 0, ended.err
    return folder


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        for file in folder.glob("*.parquet"):
            connection.execute(f"CREATE VIEW {file.stem} AS FROM read_parquet('{file}')")
        return connection.execute(sql).fetchall()


def test_a_run_publishes_and_says_what_it_did(published: Any) -> None:
    facts = published.first.json
    assert facts["passed"] is True
    assert facts["snapshot_id"] is not None
    assert set(facts["sources"]) == {"allowance", "eldercare", "funeral", "marriage"}
    assert facts["citizens"] > 1000


def test_every_row_landed_is_accepted_or_quarantined_or_replaced(exported: Path) -> None:
    astray = rows(
        exported,
        "SELECT delivery_id FROM deliveries"
        " WHERE rows_read <> rows_accepted + rows_quarantined + rows_superseded + rows_duplicate",
    )
    assert astray == []
    assert rows(exported, "SELECT count(*) > 100, sum(rows_quarantined) > 0 FROM deliveries") == [(True, True)]


def test_a_second_run_publishes_a_second_snapshot_and_doubles_nothing(
    published: Any, city: Any, rongtong: Any, exported: Path, tmp_path: Path
) -> None:
    second = rongtong(published.home, "run", "--as-of", city.as_of, "--json", connections=city.systems.environment)
    assert second.code == 0, second.err[-3000:]
    assert second.json["snapshot_id"] > published.first.json["snapshot_id"]
    assert rongtong(published.home, "export", str(tmp_path)).code == 0
    for table in ("citizens", "citizen_mentions", "benefit_months", "citizen_events", "findings", "kpi_monthly"):
        before, after = (f"SELECT * FROM '{folder}/{table}.parquet'" for folder in (exported, tmp_path))
        difference = duckdb.sql(f"({before} EXCEPT ALL {after}) UNION ALL ({after} EXCEPT ALL {before})").fetchall()
        assert difference == [], table


def test_no_personal_value_is_in_any_published_file_or_column(published: Any, city: Any, exported: Path) -> None:
    values = personal_values(city.folder)
    files = [file for file in (published.home / "published").rglob("*") if file.is_file()]
    assert len(values) > 5000
    assert len(files) > 10
    for file in files:
        assert not words_of(file.read_bytes().decode("utf-8", "ignore")) & values, file.name
    for file in exported.glob("*.parquet"):
        texts = duckdb.sql(f"SELECT CAST(t AS VARCHAR) FROM '{file}' AS t").fetchall()
        assert not words_of(" ".join(row[0] for row in texts)) & values, file.name


def personal_values(city: Path) -> set[str]:
    """Every number, phone, account, address and full name of the city (names of three characters and more)."""
    columns = {
        "registration": "cert_num_man cert_num_woman reg_addr_man reg_addr_woman phone_man phone_woman"
        " name_man name_woman",
        "elder": "id_card live_address full_name contact_name phone contact_phone",
        "payment_rows": "bank_account payee_name payee_id_no",
        "cremations": "deceased_name handler_name deceased_id_no handler_id_no handler_phone deceased_hukou_address",
    }
    found: set[str] = set()
    for table, names in columns.items():
        for name in names.split():
            rows = duckdb.sql(f"SELECT DISTINCT {name} FROM '{city}/{table}.parquet'").fetchall()
            found |= {row[0].strip() for row in rows if row[0]}
    return {value for value in found if len(value) >= 3 and value not in ("无名氏", "无名尸")}


def words_of(text: str) -> set[str]:
    """Runs of letters, digits and Han characters, as they stand between other signs."""
    return set(re.findall(r"[\w·]{3,}", text))


def test_queries_are_read_only(published: Any, rongtong: Any) -> None:
    counted = rongtong(published.home, "sql", "SELECT count(*) AS n FROM citizens", "--format", "json")
    assert counted.code == 0
    assert counted.json[0]["n"] > 1000
    for statement in ("DELETE FROM citizens", "SELECT * FROM read_csv('/etc/passwd')", "ATTACH 'x.duckdb'"):
        refused = rongtong(published.home, "sql", statement)
        assert refused.code == 2
        assert "Traceback" not in refused.err


def test_json_loses_no_column_and_is_json(published: Any, rongtong_inside: Any) -> None:
    twice = "SELECT a.citizen_id, b.citizen_id FROM citizens AS a JOIN citizens AS b USING (citizen_id) LIMIT 1"
    refused = rongtong_inside(published.home, "sql", twice, "--format", "json")
    assert (refused.code, "two columns are named citizen_id" in refused.err) == (2, True)
    strange = "SELECT 0.0::DOUBLE / 0 AS share, ['Infinity'::DOUBLE, 1] AS several, {'x': 'NaN'::FLOAT} AS inside"
    ended = rongtong_inside(published.home, "sql", strange, "--format", "json")
    assert json.loads(ended.out, parse_constant=pytest.fail) == [
        {"share": None, "several": [None, 1], "inside": {"x": None}}
    ]


def test_queries_of_the_readme_are_answered_as_they_stand(published: Any, rongtong_inside: Any) -> None:
    block = re.search(r"```sql\n(-- 1\..*?)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    queries = block[1].strip().split("\n\n")
    assert len(queries) == 5
    for query in queries:
        ended = rongtong_inside(published.home, "sql", query, "--format", "csv")
        assert ended.code == 0, ended.err
        assert len(ended.out.splitlines()) > 1
        # A line's last value is one that a shell can go on with.
        assert "\r" not in ended.out


def test_queries_at_the_end_of_a_run_are_answered_as_they_are_copied(published: Any, rongtong_inside: Any) -> None:
    facts = published.first.json | {"report": "report.html", "verdict": "passed"}
    page = io.StringIO()
    summary.show(Console(file=page, width=80), Home(published.home), facts)
    queries = re.findall(r'^(?:\.venv/bin/)?rongtong sql "([^"]+)"', page.getvalue(), re.MULTILINE)
    assert len(queries) == len(summary.QUERIES)
    for query in queries:
        ended = rongtong_inside(published.home, "sql", query)
        assert ended.code == 0, ended.err


def test_a_refused_candidate_leaves_the_former_snapshot_and_exit_code_3(
    published: Any, city: Any, rongtong: Any, tmp_path: Path
) -> None:
    home = tmp_path / "var"
    shutil.copytree(published.home, home)
    before = rongtong(home, "status", "--json").json["published"]
    # The allowance folder was emptied and its landing lost: nobody seems to be paid any more.
    shutil.rmtree(home / "landing" / "allowance")
    (tmp_path / "empty").mkdir()
    connections = city.systems.environment | {"AIRFLOW_CONN_ALLOWANCE": f"file://{tmp_path / 'empty'}"}
    ended = rongtong(home, "run", "--as-of", city.as_of, connections=connections)
    assert ended.code == 3, ended.err[-2000:] + ended.out[-2000:]
    assert "benefit_months" in ended.out
    assert rongtong(home, "status", "--json").json["published"] == before
    assert rongtong(home, "status", "--json").json["last_run"]["state"] == "refused"
    report = sorted(home.glob("runs/*/report.html"))[-1].read_text(encoding="utf-8")
    assert "benefit_months" in report


def test_wrong_use_is_exit_code_2(rongtong: Any, tmp_path: Path) -> None:
    for arguments in (("land", "nowhere"), ("run", "--as-of", "soon"), ("run", "--as-of", "2999-01-01"), ("unknown",)):
        ended = rongtong(tmp_path, *arguments)
        assert ended.code == 2, arguments
        assert "Traceback" not in ended.err
    assert not (tmp_path / "runs").exists()


def test_nothing_published_is_said_in_one_sentence(rongtong: Any, tmp_path: Path) -> None:
    for arguments in (("sql", "SELECT 1"), ("export", str(tmp_path / "out")), ("trace", "1", "name")):
        ended = rongtong(tmp_path / "var", *arguments)
        assert ended.code == 1
        assert "nothing is published" in ended.err
        assert "Traceback" not in ended.err
