-- One row per household and month: the household as reported and its head as a citizen.
--
-- A household reported on several rows of one month's file stands with its last row (sheet and row as numbered there).
with reported as (

    select
        h.*,
        l.citizen_id as head_citizen_id,
        coalesce(l.is_certain, false) as head_is_certain,
        row_number() over (
            partition by h.household_key, h.household_month
            order by length(h.source_record_id) desc, h.source_record_id desc
        ) as place
    from {{ ref('int_household_months__unioned') }} as h
    left join {{ source('identity', 'mention_links') }} as l on h.mention_key = l.mention_key

),

heads_among_members as (

    select
        m.household_key, m.household_month,
        min(l.citizen_id) as citizen_id,
        min(case when l.is_certain then 1 else 0 end) = 1 as is_certain
    from {{ ref('int_household_members__unioned') }} as m
    inner join {{ source('identity', 'mention_links') }} as l on m.mention_key = l.mention_key
    where m.relation = 'head' and l.citizen_id is not null
    group by m.household_key, m.household_month
    having count(distinct l.citizen_id) = 1

)

select
    r.household_key,
    r.household_month,
    r.managing_district,
    r.benefit,
    r.mode,
    r.insured_count,
    r.approved_from,
    coalesce(r.head_citizen_id, m.citizen_id) as head_citizen_id,
    case when r.head_citizen_id is not null then r.head_is_certain else coalesce(m.is_certain, false) end as head_is_certain,
    r.source_system,
    r.source_table,
    r.source_record_id
from reported as r
left join heads_among_members as m
    on r.household_key = m.household_key and r.household_month = m.household_month
where r.place = 1
