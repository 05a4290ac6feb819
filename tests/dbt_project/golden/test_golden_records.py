"""Golden says of a life what the case books say it must, masks names, keeps every statement."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import pytest
from case_book import Case, read_cases

CASES = read_cases(Path(__file__).parent / "cases")
# The columns that readers rely on, from the published contract.
PUBLISHED = {
    "golden.citizens": "citizen_id name_masked sex birth_year birth_date_precision hukou_district managing_district"
    " life_status death_date marital_status spouse_citizen_id source_systems mention_count identity_confidence",
    "golden.citizen_mentions": "source_system source_table source_record_id role citizen_id link_method match_weight"
    " is_withdrawn",
    "golden.citizen_redirects": "old_citizen_id citizen_id reason run_id happened_at",
    "golden.citizen_relationships": "citizen_id related_citizen_id relation valid_from valid_to source_system",
    "golden.citizen_events": "event_id citizen_id event_type event_date date_precision source_system source_record_id"
    " attributes",
    "golden.benefit_months": "citizen_id household_key benefit benefit_month managing_district amount_yuan paid_on"
    " source_record_id",
    "golden.households": "household_key managing_district benefit mode insured_count",
    "golden.household_members": "household_key citizen_id relation is_insured",
    "golden.bed_stays": "citizen_id institution_id checked_in_on checked_out_on subsidy_month_yuan",
    "golden.care_visits": "citizen_id visited_on kind subsidy_yuan",
    "golden.deliveries": "delivery_id source_system rows_read rows_accepted rows_quarantined",
    "findings.findings": "finding_id rule severity citizen_id household_key period_from period_to amount_yuan state"
    " evidence first_seen_run last_seen_run",
    "findings.kpi_monthly": "indicator managing_district month value unit",
}
TYPES = {
    ("golden.citizens", "citizen_id"): "VARCHAR",
    ("golden.citizens", "birth_year"): "INTEGER",
    ("golden.citizens", "death_date"): "DATE",
    ("golden.citizens", "source_systems"): "VARCHAR[]",
    ("golden.citizens", "mention_count"): "INTEGER",
    ("golden.citizens", "identity_confidence"): "DOUBLE",
    ("golden.citizen_mentions", "match_weight"): "DOUBLE",
    ("golden.citizen_events", "attributes"): "JSON",
    ("golden.benefit_months", "benefit_month"): "DATE",
    ("golden.benefit_months", "amount_yuan"): "DECIMAL(12,2)",
    ("findings.findings", "evidence"): "JSON",
    ("findings.kpi_monthly", "value"): "DOUBLE",
    ("findings.kpi_monthly", "month"): "DATE",
}


def plain(value: Any) -> Any:
    """A value as a case book writes it."""
    return value.isoformat() if isinstance(value, dt.date) else value


def expecting(part: str) -> list[Any]:
    """The cases that speak of one part of golden."""
    return [pytest.param(case, id=case.claim) for case in CASES if part in case.content]


@pytest.mark.parametrize("case", expecting("citizens"))
def test_a_citizen_is_what_the_records_say(case: Case, candidate: duckdb.DuckDBPyConnection) -> None:
    for who, expected in case.content["citizens"].items():
        columns = list(expected)
        row = candidate.execute(
            f"select {', '.join(columns)} from golden.citizens where citizen_id = ?", [case.citizen(who)]
        ).fetchone()
        assert row is not None
        told = {column: plain(value) for column, value in zip(columns, row, strict=True)}
        if "spouse_citizen_id" in told:
            told["spouse_citizen_id"] = case.who(told["spouse_citizen_id"])
        assert told == expected


@pytest.mark.parametrize("case", expecting("relationships"))
def test_marriages_are_relations_with_a_beginning_and_an_end(case: Case, candidate: duckdb.DuckDBPyConnection) -> None:
    for who in {relation["of"] for relation in case.content["relationships"]}:
        rows = candidate.execute(
            "select related_citizen_id, relation, valid_from, valid_to from golden.citizen_relationships"
            " where citizen_id = ? order by valid_from",
            [case.citizen(who)],
        ).fetchall()
        assert [(case.who(other), relation, plain(first), plain(last)) for other, relation, first, last in rows] == [
            (relation["to"], relation["relation"], relation["from"], relation["until"])
            for relation in case.content["relationships"]
            if relation["of"] == who
        ]


@pytest.mark.parametrize("case", expecting("benefit_months"))
def test_benefit_months_are_exact(case: Case, candidate: duckdb.DuckDBPyConnection) -> None:
    rows = candidate.execute(
        "select citizen_id, benefit, benefit_month, cast(amount_yuan as double), managing_district, household_key"
        " from golden.benefit_months where list_contains(?, citizen_id) order by benefit_month, amount_yuan desc",
        [[case.citizen(who) for who in case.content["people"]]],
    ).fetchall()
    expected = case.content["benefit_months"]
    assert len(rows) == len(expected)
    for (citizen, benefit, month, yuan, district, household), row in zip(rows, expected, strict=True):
        told = {
            "who": case.who(citizen),
            "benefit": benefit,
            "month": plain(month),
            "yuan": yuan,
            "district": district,
            "household": household,
        }
        if "household" in row:
            row = row | {"household": case.household(row["household"])}
        assert {key: told[key] for key in row} == row | {"yuan": float(row["yuan"])}


@pytest.mark.parametrize("table", PUBLISHED)
def test_published_tables_carry_the_columns_readers_rely_on(table: str, candidate: duckdb.DuckDBPyConnection) -> None:
    types = {name: kind for name, kind, *_ in candidate.execute(f"describe {table}").fetchall()}
    assert set(PUBLISHED[table].split()) <= set(types)
    for (owner, column), kind in TYPES.items():
        if owner == table:
            assert types[column] == kind


def test_no_published_table_carries_a_number_or_a_whole_name(candidate: duckdb.DuckDBPyConnection) -> None:
    numbers, names = candidate.execute(
        "select list(distinct id_no), list(distinct name)"
        " from intermediate.int_mentions__unioned where length(name) > 1"
    ).fetchone() or ([], [])
    for table in PUBLISHED:
        text = str(candidate.execute(f"select * from {table}").fetchall())
        assert not [number for number in numbers if number and number in text]
        assert not [name for name in names if name in text]


def test_a_zone_pays_and_its_land_does_not_count_twice(candidate: duckdb.DuckDBPyConnection) -> None:
    paid = candidate.execute("select sum(amount_yuan) from intermediate.int_payments__standing").fetchone()
    covered = candidate.execute("select sum(amount_yuan) from golden.benefit_months").fetchone()
    assert paid == covered


def test_the_chosen_statement_leads_back_to_a_record(candidate: duckdb.DuckDBPyConnection) -> None:
    lost = candidate.execute(
        """select count(*) from golden.citizen_attributes as a
           left join golden.citizen_mentions as m using (source_system, source_table, source_record_id, role)
           where a.is_chosen and a.role <> 'spouse'
               and (m.citizen_id is distinct from a.citizen_id or a.rule is null)"""
    ).fetchone()
    assert lost == (0,)
    # Widowhood, and a divorce that names the other party only, lead to the spouse's record.
    of_the_spouse = candidate.execute(
        """select count(*), count(m.source_record_id) from golden.citizen_attributes as a
           left join (select distinct source_system, source_table, source_record_id from golden.citizen_mentions) as m
               using (source_system, source_table, source_record_id)
           where a.is_chosen and a.role = 'spouse' and a.attribute = 'marital_status'"""
    ).fetchone()
    assert of_the_spouse is not None and of_the_spouse[0] == of_the_spouse[1] > 0


def test_what_a_life_state_follows_from_is_a_statement(candidate: duckdb.DuckDBPyConnection) -> None:
    unlike = candidate.execute(
        """select count(*) from golden.citizens as c
           left join golden.citizen_attributes as d
               on d.citizen_id = c.citizen_id and d.attribute = 'death_date' and d.is_chosen
           left join golden.citizen_attributes as m
               on m.citizen_id = c.citizen_id and m.attribute = 'marital_status' and m.is_chosen
           where (c.life_status = 'deceased') <> (d.value is not null)
               or not starts_with(c.death_date::varchar, coalesce(d.value, ''))
               or c.marital_status <> case m.value when '20' then 'married' when '30' then 'widowed'
                   when '40' then 'divorced' else 'never_recorded' end"""
    ).fetchone()
    assert unlike == (0,)


def test_small_cells_are_suppressed_and_large_ones_shown(candidate: duckdb.DuckDBPyConnection) -> None:
    rows = dict(
        candidate.execute(
            """select indicator || ' ' || managing_district, value from findings.kpi_monthly
               where month = date '2022-01-01' and indicator = 'benefit_recipients.old_age_allowance'"""
        ).fetchall()
    )
    counted = candidate.execute(
        """select count(distinct citizen_id) from golden.benefit_months
           where benefit = 'old_age_allowance' and benefit_month = date '2022-01-01'"""
    ).fetchone()
    assert counted is not None and counted[0] >= 5
    assert rows["benefit_recipients.old_age_allowance 510100"] == counted[0]
    assert rows.get("benefit_recipients.old_age_allowance 510116") is None


def test_quarantined_rows_are_counted_by_source_and_month(candidate: duckdb.DuckDBPyConnection) -> None:
    rows = candidate.execute(
        "select managing_district, month, value from findings.kpi_monthly"
        " where indicator = 'quarantined_rows.city' order by 1"
    ).fetchall()
    assert rows == [("510100", dt.date(2022, 3, 1), 3.0), ("510104", dt.date(2022, 3, 1), 3.0)]
