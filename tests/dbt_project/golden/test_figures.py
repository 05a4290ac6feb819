"""The monthly figures are what a second count over golden and the shapes gives."""

from __future__ import annotations

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
        select date_trunc('month', death_date)::date, count(*), count(*) from golden.citizens
        where death_date_precision <> 'year' group by 1""",
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
