-- One row per citizen who arranged the funeral of a spouse, and record of it that stands: whoever the deceased is to
-- identity, the marriage has probably ended, and nobody is accused on it.
select l.citizen_id, e.event_date
from {{ ref('int_relations__unioned') }} as r
inner join {{ source('identity', 'mention_links') }} as l on r.related_mention_key = l.mention_key
inner join {{ ref('int_events__unioned') }} as e
    on r.mention_key = e.mention_key and e.event_type in ('death', 'cremation')
where r.relation = 'spouse' and l.citizen_id is not null and e.event_date is not null
    and not coalesce(r.is_withdrawn, false) and not coalesce(e.is_withdrawn, false)
