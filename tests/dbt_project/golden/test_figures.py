"""The monthly figures are what a second count over golden and the shapes gives."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

import duckdb
import pytest

CITY = "510100"
# Indicator prefix → an independent count by month for the whole city, with the persons or acts behind it.
MONTHS = """with months as (
    select unnest(generate_series(date '2022-01-01', date '2022-12-01', interval 1 month))::date as month_start)"""
COUNTS = {
    "benefit_recipients.old_age_allowance": """
        select benefit_month, count(distinct coalesce(citizen_id, source_record_id)),
            count(distinct coalesce(citizen_id, source_record_id)) from golden.benefit_months
        where benefit = 'old_age_allowance' group by 1""",
    "benefit_yuan.old_age_allowance": """
        select benefit_month, sum(amount_yuan), count(distinct coalesce(citizen_id, source_record_id))
        from golden.benefit_months
        where benefit = 'old_age_allowance' group by 1""",
    "dibao_households": """
        select household_month, count(*), count(*) from golden.households
        where benefit in ('dibao_urban', 'dibao_rural') group by 1""",
    "dibao_insured_persons": """
        select household_month, sum(insured_count), sum(insured_count) from golden.households
        where benefit in ('dibao_urban', 'dibao_rural') group by 1""",
    "marriage_acts.IA": """
        select date_trunc('month', event_date)::date, count(distinct source_record_id), count(distinct source_record_id)
        from golden.citizen_events where event_type = 'marriage' group by 1""",
    "deaths": """
        select date_trunc('month', died_on)::date, count(*), count(*) from (
            select death_date as died_on from golden.citizens where death_date_precision <> 'year'
            union all
            -- The dead whom nobody could tell, once a record: a stated day or month first, else the cremation.
            select coalesce(max(event_date) filter (event_type = 'death'), max(event_date))
            from intermediate.int_events__unioned as e
            left join identity.mention_links as l using (mention_key)
            where event_type in ('death', 'cremation') and not coalesce(is_withdrawn, false) and l.citizen_id is null
            group by mention_key
            having
                coalesce(max(date_precision) filter (event_type = 'death' and event_date is not null), 'day') <> 'year'
        ) group by 1""",
    "cremations": """
        select date_trunc('month', event_date)::date, count(distinct source_record_id), count(distinct source_record_id)
        from golden.citizen_events where event_type = 'cremation' group by 1""",
    "bed_stays": """
        select m.month_start, count(distinct citizen_id), count(distinct citizen_id)
        from golden.bed_stays as s, months as m
        where exists (
            select 1 from (
                select unnest(generate_series(s.checked_in_on, coalesce(s.checked_out_on - 1, date '2022-12-31'),
                    interval 1 day))::date as night
            ) where date_trunc('month', night) = m.month_start)
        group by 1""",
    "institutions_with_stays": """
        select m.month_start, count(distinct institution_id), 9
        from golden.bed_stays as s, months as m
        where s.checked_in_on <= last_day(m.month_start)
            and coalesce(s.checked_out_on, date '9999-01-01') > m.month_start
        group by 1""",
    "weekly_visit_coverage": """
        select date_trunc('month', week_end)::date, avg(case when visit_count > 0 then 1.0 else 0.0 end),
            count(distinct citizen_id)
        from intermediate.int_care_weeks__due group by 1""",
}


@pytest.mark.parametrize("indicator", COUNTS)
def test_a_figure_of_the_city_is_what_a_second_count_gives(
    indicator: str, candidate: duckdb.DuckDBPyConnection
) -> None:
    expected = {
        month: pytest.approx(float(value)) if persons >= 5 else None
        for month, value, persons in candidate.execute(MONTHS + COUNTS[indicator]).fetchall()
    }
    shown = dict(
        candidate.execute(
            "select month, value from findings.kpi_monthly where indicator = ? and managing_district = ?",
            [indicator, CITY],
        ).fetchall()
    )
    hidden_parts = dict(
        candidate.execute(
            "select month, sum(is_suppressed::int) from findings.kpi_monthly"
            " where indicator like 'benefit_recipients.dibao%' and managing_district = ? group by month",
            [CITY],
        ).fetchall()
    )
    # A total less its other part would tell a hidden part.
    if indicator == TOTAL:
        expected = {month: None if hidden_parts.get(month) == 1 else value for month, value in expected.items()}
    assert shown == expected
    assert expected


def test_people_of_eighty_and_more_are_counted_by_month_while_they_live(candidate: duckdb.DuckDBPyConnection) -> None:
    shown = candidate.execute(
        "select month, value from findings.kpi_monthly"
        " where indicator = 'citizens_80_plus' and managing_district = ? order by month",
        [CITY],
    ).fetchall()
    counted = candidate.execute(
        """select count(*) from intermediate.int_citizens__described as c
           left join golden.citizens as g using (citizen_id)
           where c.birth_date + interval 80 year <= date '2022-12-31'
             and coalesce(g.death_date, date '9999-01-01') > date '2022-12-31'"""
    ).fetchone()
    assert len(shown) == 12
    assert counted is not None and shown[-1][1] == counted[0]


def test_leads_are_counted_by_rule_and_state(candidate: duckdb.DuckDBPyConnection) -> None:
    shown = dict(
        candidate.execute(
            "select indicator, value from findings.kpi_monthly"
            " where indicator like 'findings.%' and managing_district = ?",
            [CITY],
        ).fetchall()
    )
    counted = candidate.execute(
        "select 'findings.' || rule || '.' || state, count(*) from findings.findings group by 1"
    ).fetchall()
    assert shown == {name: float(number) if number >= 5 else None for name, number in counted}


FLOOR = 5
TOTAL, PARTS = "dibao_households", ("benefit_recipients.dibao_urban", "benefit_recipients.dibao_rural")
SUPPRESSED = "indicator, managing_district, month, persons, value is null as is_hidden"


def invent_figures(seed: int) -> list[tuple[str, str, str, dt.date, float, float]]:
    """Random counts of parts and totals by district and month, the city adding up what its districts hold and more."""
    draw = random.Random(seed)
    rows = []
    for month in (dt.date(2022, number, 1) for number in range(1, 13)):
        districts = [str(510101 + place) for place in range(draw.choice([1, 2, 3, 8]))]
        cells = {
            (part, district): draw.choice([0, 1, 2, 3, 4, 5, 6, 30])
            for part in (*PARTS, "deaths")
            for district in districts
        }
        for district in districts:
            cells[TOTAL, district] = sum(cells[part, district] for part in PARTS)
        for indicator in (*PARTS, TOTAL, "deaths"):
            unknown = draw.choice([0, 0, 2])
            cells[indicator, CITY] = sum(n for (name, _), n in cells.items() if name == indicator) + unknown
        rows += [(name, "persons", district, month, float(n), float(n)) for (name, district), n in cells.items() if n]
    return rows


@pytest.mark.parametrize("seed", range(40))
def test_no_suppressed_cell_is_a_shown_total_less_shown_parts(
    seed: int, candidate: duckdb.DuckDBPyConnection, built_work_file: Path
) -> None:
    compiled = built_work_file.parent / "target/compiled/rongtong/models/findings/kpi_monthly.sql"
    text = compiled.read_text(encoding="utf-8")
    candidate.execute(
        "create or replace temp table figures (indicator varchar, unit varchar, managing_district varchar, month date,"
        " full_value double, persons double)"
    )
    candidate.executemany("insert into figures values (?, ?, ?, ?, ?, ?)", invent_figures(seed))
    rows = candidate.execute(
        f"select {SUPPRESSED} from (with {text[text.index('small_hidden as (') :]}) left join temp.figures"
        " using (indicator, managing_district, month)"
    ).fetchall()
    assert_nothing_is_derivable(rows)


def test_no_suppressed_figure_of_the_case_books_is_derivable(candidate: duckdb.DuckDBPyConnection) -> None:
    assert_nothing_is_derivable(
        candidate.execute(
            "select indicator, managing_district, month, null, value is null from findings.kpi_monthly"
            " where unit not in ('share', 'institutions', 'rows')"
        ).fetchall()
    )


def assert_nothing_is_derivable(rows: list[tuple[str, str, dt.date, float | None, bool]]) -> None:
    hidden = {(indicator, district, month): is_hidden for indicator, district, month, _, is_hidden in rows}
    persons = {(indicator, district, month): number for indicator, district, month, number, _ in rows}
    assert len(hidden) == len(rows)
    for indicator, month in {(indicator, month) for indicator, _, month in hidden}:
        cells = [cell for cell in hidden if cell[0] == indicator and cell[2] == month and cell[1] != CITY]
        gone = [cell for cell in cells if hidden[cell]]
        if gone and not hidden[indicator, CITY, month]:
            assert len(gone) > 1, gone
            assert None in (persons[cell] for cell in gone) or sum(persons[cell] or 0 for cell in gone) >= FLOOR
        # As much as needed, and no more: one cell beside the small ones, unless a hidden part hides its total.
        if indicator != TOTAL and all(persons[cell] is not None for cell in cells):
            small = [cell for cell in gone if (persons[cell] or 0) < FLOOR]
            assert len(gone) <= len(small) + 1
            assert gone == [] or small
    for indicator, district, month in hidden:
        if indicator == TOTAL and not hidden[indicator, district, month]:
            assert [hidden.get((part, district, month)) for part in PARTS].count(True) != 1
