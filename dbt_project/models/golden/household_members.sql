-- One row per member row of a household and month, in the accepted file of that month.
select
    m.household_key,
    m.household_month,
    l.citizen_id,
    m.managing_district,
    m.relation,
    m.is_insured,
    coalesce(l.is_certain, false) as is_certain,
    m.source_system,
    m.source_table,
    m.source_record_id
from {{ ref('int_household_members__unioned') }} as m
left join {{ source('identity', 'mention_links') }} as l on m.mention_key = l.mention_key
