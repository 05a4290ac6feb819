-- One row per citizen and run of consecutive weeks with subsidised care at home while the citizen lived in an institution.
--
-- Holds when a subsidised visit of kind home_care or meal falls strictly inside a bed stay: after the check-in day and
-- before the check-out day. Lawful: entry and exit days; visits without a subsidy; kinds visit and day_care.
-- Amount: the subsidies of those visits.
-- Traps: a stay whose check-out was typed late; leave from the institution is in no silo.
with inside as (

    select
        v.citizen_id,
        v.visited_on,
        max(v.subsidy_yuan) as amount_yuan,
        bool_or(v.is_certain and s.is_certain) as is_certain,
        {{ record_of('v') }} as visit,
        {{ gathered_records('s') }} as evidence
    from {{ ref('care_visits') }} as v
    inner join {{ ref('bed_stays') }} as s
        on v.citizen_id = s.citizen_id
        and v.visited_on > s.checked_in_on
        and v.visited_on < coalesce(s.checked_out_on, {{ far_future() }})
    where v.kind in ('home_care', 'meal') and v.subsidy_yuan > 0
    group by v.citizen_id, v.visited_on, v.source_system, v.source_table, v.source_record_id

),

cases as (

    select
        citizen_id,
        cast(null as varchar) as household_key,
        visited_on as case_from,
        visited_on as case_to,
        amount_yuan,
        is_certain,
        {{ joined_evidence('[visit]', 'evidence') }} as evidence
    from inside

)

{{ leads_from_cases('home_care_in_institution', 'B', unit='week') }}
