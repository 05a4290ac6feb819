-- One row per citizen with records that carry a valid identity number which another citizen's certain records carry.
--
-- Identity judges names and birth dates under one number: spelling variants and former names are one citizen, so what is
-- left as two citizens is incompatible. One side must be certain (the number agrees with its citizen on name). The other
-- is certain too, or bears the number in several_systems silos: a relative's number typed into the wrong field is a
-- mistake of one silo and no lead. Where one side is not certain the lead needs a review of identities.
-- Withdrawn records do not count. The period begins with the first day any of the records speaks of. No money is at stake.
-- Parameters: several_systems. Traps: an adoption or a full change of name.
with carried as (

    select m.*, l.citizen_id, l.is_certain
    from {{ ref('int_mentions__unioned') }} as m
    inner join {{ source('identity', 'mention_links') }} as l on m.mention_key = l.mention_key
    where m.id_no is not null and l.citizen_id is not null and not coalesce(m.is_withdrawn, false)

),

shared as (

    select id_no from carried group by id_no having min(citizen_id) <> max(citizen_id)

),

holders as (

    select
        m.id_no,
        m.citizen_id,
        bool_or(m.is_certain) as is_certain,
        min(m.said_on) as said_on,
        {{ gathered_records('m') }} as evidence
    from carried as m
    inner join shared on m.id_no = shared.id_no
    group by m.id_no, m.citizen_id
    having bool_or(m.is_certain) or count(distinct m.source_system) >= {{ parameter('several_systems') }}

),

cases as (

    select
        a.citizen_id,
        cast(null as varchar) as household_key,
        min(least(coalesce(a.said_on, {{ as_of() }}), coalesce(b.said_on, {{ as_of() }}))) as case_from,
        cast(null as date) as case_to,
        0 as amount_yuan,
        bool_and(a.is_certain and b.is_certain) as is_certain,
        {{ gathered_evidence(joined_evidence('a.evidence', 'b.evidence')) }} as evidence
    from holders as a
    inner join holders as b
        on a.id_no = b.id_no and a.citizen_id <> b.citizen_id and (a.is_certain or b.is_certain)
    group by a.citizen_id

)

{{ leads_from_cases('one_number_two_people', 'C') }}
