-- Restricted. One row per statement (citizen, attribute, value, origin, source table and role): what is said, by which
-- record, when; the chosen statement of each attribute is marked with the rule that chose it.
--
-- Declared marital statuses are statements too; none is chosen, because the published one follows from events: those
-- events are statements of origin 'derived'. Records of a death or cremation are the statements of death_date.
select
    s.citizen_id,
    s.attribute,
    s.value,
    s.origin,
    s.source_system,
    s.source_table,
    s.source_record_id,
    s.role,
    s.is_withdrawn,
    s.is_repaired,
    s.said_on,
    s.seen_from,
    s.seen_to,
    s.record_count,
    c.citizen_id is not null as is_chosen,
    coalesce(c.is_tied, false) as is_tied,
    c.chosen_rule as rule
from {{ ref('int_statements__gathered') }} as s
left join {{ ref('int_statements__chosen') }} as c
    on s.citizen_id = c.citizen_id
    and s.attribute = c.attribute
    and s.value = c.value
    and s.origin = c.origin
    and s.source_system = c.source_system
    and s.source_table = c.source_table
    and s.role = c.role
    and s.is_withdrawn = c.is_withdrawn

union all

select
    l.citizen_id,
    d.attribute,
    d.value,
    'declared' as origin,
    d.source_system,
    d.source_table,
    {{ last_of('d.source_record_id', 'd.said_on') }} as source_record_id,
    m.role,
    coalesce(d.is_withdrawn, false) as is_withdrawn,
    false as is_repaired,
    max(d.said_on) as said_on,
    min(cast(m.seen_at as date)) as seen_from,
    max(cast(m.seen_at as date)) as seen_to,
    count(*) as record_count,
    false as is_chosen,
    false as is_tied,
    'derived from events' as rule
from {{ ref('int_declarations__unioned') }} as d
inner join {{ source('identity', 'mention_links') }} as l on d.mention_key = l.mention_key
inner join {{ ref('int_mentions__unioned') }} as m on d.mention_key = m.mention_key
where l.citizen_id is not null
group by l.citizen_id, d.attribute, d.value, d.source_system, d.source_table, m.role, coalesce(d.is_withdrawn, false)

union all

select
    citizen_id, attribute, value, origin, source_system, source_table, source_record_id, role, is_withdrawn,
    false as is_repaired, said_on, seen_on as seen_from, seen_on as seen_to, 1 as record_count, is_chosen, false as is_tied, rule
from {{ ref('int_states__stated') }}
