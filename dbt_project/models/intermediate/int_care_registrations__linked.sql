-- One row per standing registration of a citizen with a care system, with what it says of visits that are due.
--
-- is_due_visits: the registration makes the person a key target and is still in force. A registration closed, moved or
-- marked deceased owes no visits; marked deceased is a hint and no death, so it ends nothing but this.
select
    l.citizen_id,
    r.managing_district,
    r.hukou_district,
    r.status,
    coalesce(r.is_key_target, false) as is_key_target,
    coalesce(r.is_key_target, false) and coalesce(r.status, 'active') = 'active' as is_due_visits,
    coalesce(l.is_certain, false) as is_certain,
    r.mention_key,
    r.source_system,
    r.source_table,
    r.source_record_id
from {{ ref('int_care_registrations__unioned') }} as r
inner join {{ source('identity', 'mention_links') }} as l on r.mention_key = l.mention_key
where not coalesce(r.is_withdrawn, false) and l.citizen_id is not null
