-- The leads that hold now never overlap for one rule and citizen or household: a contiguous period is one row.
select a.finding_id, b.finding_id as other_finding_id
from {{ ref('findings') }} as a
inner join {{ ref('findings') }} as b
    on a.rule = b.rule
    and coalesce(a.citizen_id, a.household_key) = coalesce(b.citizen_id, b.household_key)
    and a.finding_id < b.finding_id
    and a.period_from <= coalesce(b.period_to, {{ far_future() }})
    and b.period_from <= coalesce(a.period_to, {{ far_future() }})
where a.is_holding
    and b.is_holding
