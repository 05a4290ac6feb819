"""The score: a perfect view scores one, and each kind of error is counted where it belongs."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from simulation.city import build_city
from simulation.score import Score, render, score


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    build_city(folder, 3_000, seed=1)
    return folder


def publish(city: Path, folder: Path, **changes: str) -> Score:
    """A view made from the truth itself, with changes per table (SQL over ``rows``), and its score."""
    folder.mkdir()
    views = {
        "citizen_mentions": "SELECT * EXCLUDE (person_id, damage), 'c' || person_id AS citizen_id FROM mentions",
        "findings": """SELECT row_number() OVER ()::VARCHAR AS finding_id, 'c' || person_id AS citizen_id,
                       'candidate' AS state, * EXCLUDE (person_id, certain) FROM findings WHERE certain""",
        "benefit_months": "SELECT 'c' || person_id AS citizen_id, * EXCLUDE (person_id) FROM benefit_months",
        "citizens": """SELECT 'c' || person_id AS citizen_id, 'deceased' AS life_status, death_date FROM deaths
                       WHERE is_recorded""",
    }
    with duckdb.connect() as connection:
        for name in ("mentions", "findings", "benefit_months", "deaths", "lawful"):
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{city}/truth/{name}.parquet')")
        for name, query in views.items():
            changed = changes.get(name, "SELECT * FROM rows")
            connection.execute(f"COPY (WITH rows AS ({query}) {changed}) TO '{folder}/{name}.parquet' (FORMAT parquet)")
    return score(folder, city / "truth", city)


def test_a_perfect_view_scores_one(city: Path, tmp_path: Path) -> None:
    result = publish(city, tmp_path / "view")
    assert result.linked.f1 == result.all_mentions.f1 == result.linked_without_number.f1 == 1.0
    assert result.benefit_months_differing == result.benefit_months_misattributed == result.lawful_reported == 0
    assert result.rule("benefit_after_death").precision == result.rule("benefit_after_death").recall == 1.0
    assert result.rule("weekly_visit_missed").right_exactly == result.rule("weekly_visit_missed").reported
    assert result.deaths_found == result.death_dates_right == result.deaths_certain


def test_putting_two_people_together_costs_precision(city: Path, tmp_path: Path) -> None:
    one = """SELECT * REPLACE (CASE WHEN citizen_id IN ('c1', 'c2', 'c3') THEN 'c1' ELSE citizen_id END AS citizen_id)
             FROM rows"""
    result = publish(city, tmp_path / "view", citizen_mentions=one)
    assert result.linked.precision < 1 and result.linked.recall == 1


def test_an_unresolved_mention_is_lost_among_all_mentions_only(city: Path, tmp_path: Path) -> None:
    none = "SELECT * REPLACE (CASE WHEN role = 'contact' THEN NULL ELSE citizen_id END AS citizen_id) FROM rows"
    result = publish(city, tmp_path / "view", citizen_mentions=none)
    assert result.linked.f1 == 1 and result.all_mentions.recall < 1


def test_a_wrong_fen_is_counted(city: Path, tmp_path: Path) -> None:
    wrong = """SELECT * REPLACE (amount_yuan + CASE WHEN place = 1 THEN 0.01 ELSE 0 END AS amount_yuan) FROM
               (SELECT *, row_number() OVER (ORDER BY source_record_id, benefit_month) AS place FROM rows)"""
    assert publish(city, tmp_path / "view", benefit_months=wrong).benefit_months_differing == 1


def test_a_lawful_exception_reported_is_counted(city: Path, tmp_path: Path) -> None:
    also = """SELECT * EXCLUDE (amount_yuan) FROM rows UNION ALL BY NAME (
        SELECT 'x' AS finding_id, 'c' || person_id AS citizen_id, 'candidate' AS state,
               * EXCLUDE (person_id, reason)
        FROM lawful WHERE rule = 'benefit_after_death' AND reason = 'death month' LIMIT 1)"""
    result = publish(city, tmp_path / "view", findings=also)
    assert result.lawful_reported == 1
    assert result.rule("benefit_after_death").precision < 1


def test_a_missing_table_is_named(city: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"citizen_mentions\.parquet is missing"):
        score(tmp_path, city / "truth", city)


def test_the_rendered_score_names_every_rule(city: Path, tmp_path: Path) -> None:
    result = publish(city, tmp_path / "view")
    console = Console(width=140, record=True)
    console.print(render(result))
    text = console.export_text()
    assert all(rule.rule in text for rule in result.rules)
