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

),

named as (

    select
        e.*, m.mention_key, m.role, m.raw_name, m.raw_id_no, m.address, m.said_on, m.delivery_id
    from listed as e
    left join {{ ref('int_mentions__unioned') }} as m
        on e.source_system = m.source_system
        and e.source_table = m.source_table
        and e.source_record_id = m.source_record_id

),

-- The links of the few mentions that are named: fewer to look among than all of a city's.
links as (

    select mention_key, citizen_id, link_method, is_certain
    from {{ source('identity', 'mention_links') }}
    where mention_key in (select mention_key from named)

)

select
    n.finding_id,
    n.rule,
    n.source_system,
    n.source_table,
    n.source_record_id,
    n.role,
    l.citizen_id,
    n.finding_citizen_id,
    n.raw_name,
    n.raw_id_no,
    n.address,
    l.link_method,
    coalesce(l.is_certain, false) as is_certain,
    n.said_on,
    n.delivery_id
from named as n
left join links as l on n.mention_key = l.mention_key
