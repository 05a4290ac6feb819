-- One row per standing stay in an institution; checked_out_on empty: still there.
select
    l.citizen_id,
    s.institution_id,
    s.checked_in_on,
    s.checked_out_on,
    s.checkout_reason,
    s.subsidy_month_yuan,
    i.managing_district,
    coalesce(l.is_certain, false) as is_certain,
    s.source_system,
    s.source_table,
    s.source_record_id
from {{ ref('int_bed_stays__unioned') }} as s
left join {{ source('identity', 'mention_links') }} as l on s.mention_key = l.mention_key
left join {{ ref('int_institutions__unioned') }} as i
    on s.institution_id = i.institution_id and s.source_system = i.source_system
where not coalesce(s.is_withdrawn, false)
