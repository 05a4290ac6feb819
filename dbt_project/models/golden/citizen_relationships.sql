-- One row per citizen, related citizen, relation, source system and start: related_citizen_id is the relation of citizen_id.
--
-- Marriages come from events with their ends (divorce or a death); other relations as records state them, from the
-- first to the last time they were stated; each also from the other side (contacts excepted).
with marriages as (

    select
        citizen_id,
        partner_citizen_id as related_citizen_id,
        'spouse' as relation,
        married_on as valid_from,
        -- An act dated after a party's death says that one of the two records is wrong (a lead of its own); until a
        -- person has found out which, the marriage stands for its first day alone.
        case when possible_end < {{ far_future() }} then greatest(possible_end, coalesce(married_on, possible_end)) end as valid_to,
        source_system
    from {{ ref('int_marriages__dated') }}
    where partner_citizen_id is not null

),

stated as (

    select
        l.citizen_id,
        o.citizen_id as related_citizen_id,
        r.relation,
        r.valid_from,
        r.valid_to,
        r.source_system
    from {{ ref('int_relations__unioned') }} as r
    inner join {{ source('identity', 'mention_links') }} as l on r.mention_key = l.mention_key
    inner join {{ source('identity', 'mention_links') }} as o on r.related_mention_key = o.mention_key
    where not coalesce(r.is_withdrawn, false)
        and l.citizen_id is not null
        and o.citizen_id is not null
        and l.citizen_id <> o.citizen_id

),

heads as (

    select household_key, household_month, head_citizen_id
    from {{ ref('int_household_heads__chosen') }}
    where head_citizen_id is not null

),

household_edges as (

    select
        h.head_citizen_id as citizen_id,
        m.citizen_id as related_citizen_id,
        m.relation as member_relation,
        m.source_system,
        min(m.household_month) as first_month,
        max(m.household_month) as last_month,
        max(latest.latest_month) as latest_month
    from {{ ref('household_members') }} as m
    inner join heads as h on m.household_key = h.household_key and m.household_month = h.household_month
    inner join (
        select managing_district, max(household_month) as latest_month
        from {{ ref('household_members') }}
        group by managing_district
    ) as latest on m.managing_district = latest.managing_district
    where m.citizen_id is not null and m.citizen_id <> h.head_citizen_id
    group by h.head_citizen_id, m.citizen_id, m.relation, m.source_system

),

-- Members are the head's relatives as the file says, and of one household with the head while the files name them.
household_relations as (

    select
        citizen_id,
        related_citizen_id,
        'household' as relation,
        first_month as valid_from,
        case when last_month < latest_month then {{ month_end('last_month') }} end as valid_to,
        source_system
    from household_edges

    union all

    select
        citizen_id,
        related_citizen_id,
        case
            when member_relation = 'spouse' then 'spouse'
            when member_relation in ('son', 'daughter') then 'child'
            when member_relation in ('father', 'mother') then 'parent'
            when member_relation = 'sibling' then 'sibling'
        end,
        first_month,
        case when member_relation = 'spouse' and last_month < latest_month then {{ month_end('last_month') }} end,
        source_system
    from household_edges
    where member_relation in ('spouse', 'son', 'daughter', 'father', 'mother', 'sibling')

),

one_side as (

    select * from stated
    union all
    select * from household_relations

),

both_sides as (

    select * from one_side

    union all

    select
        related_citizen_id,
        citizen_id,
        case relation when 'parent' then 'child' when 'child' then 'parent' else relation end,
        valid_from,
        valid_to,
        source_system
    from one_side
    where relation <> 'contact'

),

merged as (

    select
        citizen_id,
        related_citizen_id,
        relation,
        source_system,
        min(valid_from) as valid_from,
        case when count(*) = count(valid_to) then max(valid_to) end as valid_to
    from both_sides
    group by citizen_id, related_citizen_id, relation, source_system

)

select citizen_id, related_citizen_id, relation, valid_from, max(valid_to) as valid_to, source_system
from marriages
group by citizen_id, related_citizen_id, relation, valid_from, source_system

union all

select m.citizen_id, m.related_citizen_id, m.relation, m.valid_from, m.valid_to, m.source_system
from merged as m
where m.relation <> 'spouse' or (m.citizen_id, m.related_citizen_id, m.source_system) not in (
    select citizen_id, partner_citizen_id, source_system
    from {{ ref('int_acts__linked') }}
    where partner_citizen_id is not null
)
