-- One row per citizen and period in which a subsidised bed stayed occupied after the occupant's death.
--
-- Holds when a stay with a subsidy is open, or checked out, later than the death date + checkout_grace_days.
-- Lawful: checking out on the day after the death.
-- Parameters: checkout_grace_days. Only deaths known to the day serve. Amount: the monthly subsidy for every month after
-- the death month that has a night of the stay (an open stay counts to the day of the run).
-- Traps: a check-out reason "deceased" is a hint and no death; a stay typed onto the wrong person's registration.
with late as (

    select
        s.*,
        d.death_day,
        d.is_certain as death_is_certain,
        coalesce(s.checked_out_on, {{ as_of() }}) as known_until
    from {{ ref('bed_stays') }} as s
    inner join {{ ref('int_deaths__judged') }} as d on s.citizen_id = d.citizen_id
    where s.subsidy_month_yuan > 0
        and coalesce(s.checked_out_on, {{ as_of() }}) > {{ moved('d.death_day', 'day', parameter('checkout_grace_days')) }}

),

deaths as (

    select citizen_id, source_system, source_table, source_record_id from {{ ref('int_deaths__judged') }}

),

cases as (

    select
        s.citizen_id,
        cast(null as varchar) as household_key,
        greatest(s.checked_in_on, {{ moved(moved('s.death_day', 'day', parameter('checkout_grace_days')), 'day', 1) }}) as case_from,
        s.checked_out_on as case_to,
        s.subsidy_month_yuan * greatest(
            0,
            {{ dbt.datediff(
                'greatest(' ~ month_of('s.death_day') ~ ', ' ~ moved(month_of('s.checked_in_on'), 'month', -1) ~ ')',
                month_of(moved('s.known_until', 'day', -1)),
                'month'
            ) }}
        ) as amount_yuan,
        s.is_certain and s.death_is_certain as is_certain,
        {{ evidence_of(['s', 'd']) }} as evidence
    from late as s
    inner join deaths as d on s.citizen_id = d.citizen_id

)

{{ leads_from_cases('bed_subsidy_after_death', 'A') }}
