-- One row per citizen and run of consecutive weeks with care visits that took place after the person's death.
--
-- Holds when a visit's day (visited_on) is later than the death date. Lawful: an earlier visit typed in later; the day
-- of entry plays no part. Only deaths known to the day serve.
-- Amount: the subsidies of those visits.
-- Traps: the partner's visits typed onto the dead person's registration; two registrations of one person.
with cases as (

    select
        v.citizen_id,
        cast(null as varchar) as household_key,
        v.visited_on as case_from,
        v.visited_on as case_to,
        coalesce(v.subsidy_yuan, 0) as amount_yuan,
        v.is_certain and d.is_certain as is_certain,
        {{ evidence_of(['v', 'd']) }} as evidence
    from {{ ref('care_visits') }} as v
    inner join {{ ref('int_deaths__judged') }} as d on v.citizen_id = d.citizen_id
    where v.visited_on > d.death_day

)

{{ leads_from_cases('care_after_death', 'A', unit='week') }}
