-- One row per citizen, declared attribute, value, source table and role: what people said of themselves, seen from and to.
select
    l.citizen_id,
    d.attribute,
    d.value,
    d.source_system,
    d.source_table,
    {{ last_of('d.source_record_id', 'd.said_on') }} as source_record_id,
    m.role,
    coalesce(d.is_withdrawn, false) as is_withdrawn,
    max(d.said_on) as said_on,
    min(cast(m.seen_at as date)) as seen_from,
    max(cast(m.seen_at as date)) as seen_to,
    count(*) as record_count
from {{ ref('int_declarations__unioned') }} as d
inner join {{ source('identity', 'mention_links') }} as l on d.mention_key = l.mention_key
inner join {{ ref('int_mentions__unioned') }} as m on d.mention_key = m.mention_key
where l.citizen_id is not null
group by l.citizen_id, d.attribute, d.value, d.source_system, d.source_table, m.role, coalesce(d.is_withdrawn, false)
