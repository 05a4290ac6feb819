-- One row per statement that a life or marital state follows from: which record says it, and whether it is the one chosen.
--
-- death_date: every record of a death or cremation, void ones too. Chosen is the one that int_deaths__judged takes: a
-- certain link before a probable one, a day before a month before a cremation before a year, the latest of these.
-- marital_status (GB/T 2261.2): every change that events tell; chosen is the last one. Widowhood follows from the spouse's
-- record, role 'spouse'.
with deaths as (

    select
        l.citizen_id,
        e.mention_key, e.source_system, e.source_table, e.source_record_id,
        max(case when coalesce(e.is_withdrawn, false) then 1 else 0 end) = 1 as is_withdrawn,
        max(case when e.event_type = 'death' then {{ date_text('e.event_date', 'e.date_precision') }} end) as stated_text,
        max(case when e.event_type = 'cremation' then {{ date_text('e.event_date', 'e.date_precision') }} end) as cremation_text
    from {{ ref('int_events__unioned') }} as e
    inner join {{ source('identity', 'mention_links') }} as l on e.mention_key = l.mention_key
    where e.event_type in ('death', 'cremation') and e.event_date is not null and l.citizen_id is not null
    group by l.citizen_id, e.mention_key, e.source_system, e.source_table, e.source_record_id

)

select
    s.citizen_id,
    'death_date' as attribute,
    coalesce(s.stated_text, s.cremation_text) as value,
    case when s.stated_text is null then 'derived' else 'stated' end as origin,
    s.source_system,
    s.source_table,
    s.source_record_id,
    m.role,
    s.is_withdrawn,
    m.said_on,
    cast(m.seen_at as date) as seen_on,
    d.citizen_id is not null and not s.is_withdrawn as is_chosen,
    case
        when s.is_withdrawn then 'void'
        when s.stated_text is null then 'certain link, exactness, latest; the cremation stands in as not later than'
        else 'certain link, exactness, latest'
    end as rule
from deaths as s
inner join {{ ref('int_mentions__unioned') }} as m on s.mention_key = m.mention_key
left join {{ ref('int_deaths__judged') }} as d
    on s.citizen_id = d.citizen_id and s.mention_key = d.mention_key

union all

select
    c.citizen_id,
    'marital_status',
    c.marital_code,
    'derived',
    c.source_system,
    c.source_table,
    c.source_record_id,
    coalesce(m.role, 'spouse'),
    false,
    c.happened_on,
    coalesce(cast(m.seen_at as date), c.happened_on),
    c.is_last,
    'latest event of the life'
from {{ ref('int_marital_states__dated') }} as c
left join (
    select a.citizen_id, a.source_system, a.source_table, a.source_record_id, min(a.mention_key) as mention_key
    from {{ ref('int_acts__linked') }} as a
    group by a.citizen_id, a.source_system, a.source_table, a.source_record_id
) as a
    on c.citizen_id = a.citizen_id and c.source_system = a.source_system
    and c.source_table = a.source_table and c.source_record_id = a.source_record_id
left join {{ ref('int_mentions__unioned') }} as m on a.mention_key = m.mention_key
