-- Restricted. One row per lead, source record and person named in it: whom the records name, as they name them.
--
-- A record that names nobody itself (a stay, a visit) stands with its lead's citizen only.
with records as (

    select
        f.finding_id,
        f.rule,
        f.citizen_id as finding_citizen_id,
        {{ each_record_of('f.evidence') }} as evidence_record
    from {{ ref('findings') }} as f

),

listed as (

    select
        finding_id,
        rule,
        finding_citizen_id,
        evidence_record.source_system as source_system,
        evidence_record.source_table as source_table,
        evidence_record.source_record_id as source_record_id
    from records

)

select
    e.finding_id,
    e.rule,
    e.source_system,
    e.source_table,
    e.source_record_id,
    m.role,
    l.citizen_id,
    e.finding_citizen_id,
    m.raw_name,
    m.raw_id_no,
    m.address,
    l.link_method,
    coalesce(l.is_certain, false) as is_certain,
    m.said_on,
    m.delivery_id
from listed as e
left join {{ ref('int_mentions__unioned') }} as m
    on e.source_system = m.source_system
    and e.source_table = m.source_table
    and e.source_record_id = m.source_record_id
left join {{ source('identity', 'mention_links') }} as l on m.mention_key = l.mention_key
