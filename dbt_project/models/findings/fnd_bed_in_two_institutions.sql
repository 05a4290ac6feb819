-- One row per citizen and period of nights shared by two bed stays of the citizen in different institutions.
--
-- A night belongs to the day on which it begins: a stay has the nights from the check-in day to the day before the
-- check-out day. Lawful: the transfer day (checked out and in on the same day share no night).
-- Amount: the smaller of the two monthly subsidies, for every month with a shared night (open: to the day of the run).
-- Traps: two registrations of one person are one person; a check-out typed late.
with cases as (

    select
        a.citizen_id,
        cast(null as varchar) as household_key,
        greatest(a.checked_in_on, b.checked_in_on) as case_from,
        {{ moved('least(coalesce(a.checked_out_on, b.checked_out_on), coalesce(b.checked_out_on, a.checked_out_on))', 'day', -1) }} as case_to,
        least(coalesce(a.subsidy_month_yuan, 0), coalesce(b.subsidy_month_yuan, 0)) * greatest(1, 1 + {{ dbt.datediff(
            'greatest(a.checked_in_on, b.checked_in_on)',
            'least(coalesce(' ~ moved('a.checked_out_on', 'day', -1) ~ ', ' ~ as_of() ~ '), coalesce(' ~ moved('b.checked_out_on', 'day', -1) ~ ', ' ~ as_of() ~ '))',
            'month'
        ) }}) as amount_yuan,
        a.is_certain and b.is_certain as is_certain,
        {{ evidence_of(['a', 'b']) }} as evidence
    from {{ ref('bed_stays') }} as a
    inner join {{ ref('bed_stays') }} as b
        on a.citizen_id = b.citizen_id
        and a.source_system || '/' || a.source_record_id < b.source_system || '/' || b.source_record_id
        and a.source_system || '/' || a.institution_id <> b.source_system || '/' || b.institution_id
        and greatest(a.checked_in_on, b.checked_in_on)
        < least(coalesce(a.checked_out_on, {{ far_future() }}), coalesce(b.checked_out_on, {{ far_future() }}))

)

{{ leads_from_cases('bed_in_two_institutions', 'B') }}
