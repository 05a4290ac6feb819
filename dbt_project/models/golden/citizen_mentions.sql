-- One row per mention of a person in a source record; void and withdrawn records stay, with is_withdrawn.
select
    m.source_system,
    m.source_table,
    m.source_record_id,
    m.role,
    l.citizen_id,
    coalesce(l.link_method, 'unresolved') as link_method,
    cast(l.match_weight as double) as match_weight,
    coalesce(l.is_certain, false) as is_certain,
    coalesce(m.is_withdrawn, false) as is_withdrawn,
    m.said_on,
    m.delivery_id
from {{ ref('int_mentions__unioned') }} as m
left join {{ source('identity', 'mention_links') }} as l on m.mention_key = l.mention_key
