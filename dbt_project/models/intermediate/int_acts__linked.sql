-- One row per standing registration act and participant who is a known citizen: marriage, divorce, re-issue, annulment.
select
    e.source_system || '/' || e.source_table || '/' || e.source_record_id as act_key,
    e.event_type,
    e.act_code,
    e.event_date,
    e.certificate_no,
    e.refers_to_no,
    e.office_district,
    l.citizen_id,
    case when p.citizen_id <> l.citizen_id then p.citizen_id end as partner_citizen_id,
    case
        when p.citizen_id <> l.citizen_id
            then least(l.citizen_id, p.citizen_id) || ' ' || greatest(l.citizen_id, p.citizen_id)
    end as couple_key,
    coalesce(l.is_certain, false) as is_certain,
    e.mention_key,
    e.source_system,
    e.source_table,
    e.source_record_id
from {{ ref('int_events__unioned') }} as e
inner join {{ source('identity', 'mention_links') }} as l on e.mention_key = l.mention_key
left join {{ source('identity', 'mention_links') }} as p on e.partner_mention_key = p.mention_key
where e.event_type in ('marriage', 'divorce', 'annulment', 'certificate_reissue')
    and not coalesce(e.is_withdrawn, false)
    and l.citizen_id is not null
