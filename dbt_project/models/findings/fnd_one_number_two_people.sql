-- One row per citizen whose certain records carry a valid identity number that another citizen's certain records carry.
--
-- Identity judges names and birth dates under one number: spelling variants and former names are one citizen, so what is
-- left as two citizens is incompatible. Both sides must be certain (the number agrees with its citizen on name): a
-- relative's number typed into the wrong field is a mistake of typing and no lead. Withdrawn records do not count.
-- The period begins with the first day any of the records speaks of. No money is at stake.
-- Traps: an adoption or a full change of name.
with perhaps_shared as (

    -- Carried by others than the number's own citizen, or the own one of several: most numbers are neither.
    select id_no
    from {{ ref('int_mentions__folded') }}
    where id_no is not null and has_certain_link and not is_withdrawn and not coalesce(has_own_number, false)

    union

    select id_no
    from {{ source('identity', 'citizens') }}
    where id_no is not null
    group by id_no
    having count(*) > 1

),

holders as (

    select
        m.id_no,
        l.citizen_id,
        min(m.said_on) as said_on,
        {{ gathered_records('m') }} as evidence
    from {{ ref('int_mentions__unioned') }} as m
    inner join {{ source('identity', 'mention_links') }} as l on m.mention_key = l.mention_key
    inner join (
        select id_no
        from {{ ref('int_mentions__folded') }}
        where id_no in (select id_no from perhaps_shared) and has_certain_link and not is_withdrawn
        group by id_no
        having min(citizen_id) <> max(citizen_id)
    ) as shared on m.id_no = shared.id_no
    where l.is_certain and l.citizen_id is not null and not coalesce(m.is_withdrawn, false)
    group by m.id_no, l.citizen_id

),

cases as (

    select
        a.citizen_id,
        cast(null as varchar) as household_key,
        min(least(coalesce(a.said_on, {{ as_of() }}), coalesce(b.said_on, {{ as_of() }}))) as case_from,
        cast(null as date) as case_to,
        0 as amount_yuan,
        true as is_certain,
        {{ gathered_evidence(joined_evidence('a.evidence', 'b.evidence')) }} as evidence
    from holders as a
    inner join holders as b on a.id_no = b.id_no and a.citizen_id <> b.citizen_id
    group by a.citizen_id

)

{{ leads_from_cases('one_number_two_people', 'C') }}
