-- One row per standing care visit.
select
    l.citizen_id,
    v.visited_on,
    v.kind,
    v.subsidy_yuan,
    v.entered_at,
    coalesce(l.is_certain, false) as is_certain,
    v.source_system,
    v.source_table,
    v.source_record_id
from {{ ref('int_care_visits__unioned') }} as v
left join {{ source('identity', 'mention_links') }} as l on v.mention_key = l.mention_key
where not coalesce(v.is_withdrawn, false)
