-- One row per citizen and run of consecutive full ISO weeks at home without any care visit, Monday to Sunday.
--
-- Holds for key targets. Which weeks were due stands in int_care_weeks__due, with the lawful exceptions: weeks that
-- touch a bed stay, weeks up to the first recorded visit, weeks younger than late_entry_days, weeks after a death.
-- Withdrawn visits do not count; any kind of visit does. Parameters: late_entry_days. No money is at stake.
-- Traps: two registrations of one person (visits to either count); holidays with relatives are in no silo.
with cases as (

    select
        w.citizen_id,
        cast(null as varchar) as household_key,
        w.week_start as case_from,
        w.week_end as case_to,
        0 as amount_yuan,
        w.is_certain,
        {{ evidence_of(['w']) }} as evidence
    from {{ ref('int_care_weeks__due') }} as w
    where w.visit_count = 0

)

{{ leads_from_cases('weekly_visit_missed', 'B') }}
