-- One row per citizen who probably holds a second valid identity number, or does so by a clerk's decision.
--
-- Holds by decision (one citizen with two valid numbers), or on strong evidence: two citizens with different valid
-- numbers bear the same name on several_records records each, and share a bank account, or a disability certificate of
-- one carries the other's number, or both are married to the same spouse; or one citizen's records under one name and
-- into one bank account carry two valid numbers, several_records each: identity disowned one of them, or could not tell
-- whose it is, so the lead waits for a look at the identity. Identity never joins two numbers by itself.
-- Lawful: twins (they bear different names); a number of which a spreadsheet lost the tail. Parameters: several_records. No money is at stake by itself.
-- Traps: namesakes married to the same person one after the other; an account lent to a namesake.
-- The name stands in the key, so that an account lent to a whole institution does not pair all its people.
with accounts as (

    select distinct citizen_id, bank_account, name
    from {{ ref('int_mentions__folded') }}
    where bank_account is not null and name is not null and not is_withdrawn

),

-- Whose certificate carries another citizen's number.
certified as (

    select distinct f.citizen_id, o.citizen_id as owner_citizen_id
    from {{ ref('int_mentions__folded') }} as f
    inner join {{ source('identity', 'citizens') }} as o
        on f.certificate_id_no = o.id_no and f.citizen_id <> o.citizen_id
    where f.certificate_id_no is not null and not f.is_withdrawn

),

suspects as (

    select a.citizen_id, b.citizen_id as other_citizen_id
    from accounts as a
    inner join accounts as b on a.bank_account = b.bank_account and a.name = b.name and a.citizen_id <> b.citizen_id

    union

    select citizen_id, owner_citizen_id from certified

    union

    select owner_citizen_id, citizen_id from certified

    union

    select a.citizen_id, b.citizen_id
    from {{ ref('int_marriages__dated') }} as a
    inner join {{ ref('int_marriages__dated') }} as b
        on a.partner_citizen_id = b.partner_citizen_id and a.citizen_id <> b.citizen_id

),

-- Only citizens who may be meant are looked at mention by mention. Asked of the citizens, so that the engine knows that
-- they are no more than there are, and looks for the mentions of these few.
looked_at as (

    select citizen_id
    from {{ source('identity', 'citizens') }}
    where citizen_id in (
        select citizen_id from suspects

        union

        select citizen_id from {{ source('identity', 'mention_links') }} where link_method = 'decision'

        union

        select citizen_id
        from {{ ref('int_mentions__folded') }}
        where id_no is not null and name is not null and bank_account is not null and not is_withdrawn
        group by citizen_id, name, bank_account
        having min(id_no) <> max(id_no)
    )

),

standing_mentions as (

    select
        l.citizen_id, l.link_method, l.is_certain, m.id_no, m.name, m.bank_account, m.said_on,
        m.source_system, m.source_table, m.source_record_id
    from {{ ref('int_mentions__unioned') }} as m
    inner join {{ source('identity', 'mention_links') }} as l on m.mention_key = l.mention_key
    where l.citizen_id in (select citizen_id from looked_at)
        and m.id_no is not null
        and not coalesce(m.is_withdrawn, false)

),

decided as (

    select citizen_id
    from standing_mentions
    where is_certain
    group by citizen_id
    having min(id_no) <> max(id_no) and bool_or(link_method = 'decision')

),

numbered as (

    select
        citizen_id, id_no, name,
        count(*) as record_count,
        bool_or(link_method = 'decision') as has_decision,
        min(said_on) as said_on,
        {{ gathered_records('m') }} as evidence
    from standing_mentions as m
    where name is not null and is_certain
        and citizen_id in (select citizen_id from suspects union select citizen_id from decided)
    group by citizen_id, id_no, name

),

paid_under as (

    select
        citizen_id, name, bank_account, id_no,
        count(*) as record_count,
        min(said_on) as said_on,
        {{ gathered_records('m') }} as evidence
    from standing_mentions as m
    where name is not null and bank_account is not null
    group by citizen_id, name, bank_account, id_no

),

-- One row per suspicion, name and number already; grouped all the same, so that the engine asks who is suspected before it
-- looks for equal names: there are millions of pairs of namesakes.
suspected as (

    select
        suspects.other_citizen_id, numbered.citizen_id, numbered.name, numbered.id_no,
        min(numbered.said_on) as said_on,
        max(numbered.record_count) as record_count,
        {{ gathered_evidence('numbered.evidence') }} as evidence
    from suspects
    inner join numbered on suspects.citizen_id = numbered.citizen_id
    group by suspects.other_citizen_id, numbered.citizen_id, numbered.name, numbered.id_no

),

pairs as (

    select
        a.citizen_id,
        least(coalesce(a.said_on, {{ as_of() }}), coalesce(b.said_on, {{ as_of() }})) as said_on,
        {{ joined_evidence('a.evidence', 'b.evidence') }} as evidence,
        true as is_certain
    from suspected as a
    inner join numbered as b on a.other_citizen_id = b.citizen_id and a.name = b.name and a.id_no <> b.id_no
    where not {{ is_lost_tail('a.id_no', 'b.id_no') }}
        and a.record_count >= {{ parameter('several_records') }}
        and b.record_count >= {{ parameter('several_records') }}

    union all

    select
        a.citizen_id,
        least(coalesce(a.said_on, {{ as_of() }}), coalesce(b.said_on, {{ as_of() }})),
        {{ joined_evidence('a.evidence', 'b.evidence') }},
        true
    from numbered as a
    inner join numbered as b on a.citizen_id = b.citizen_id and a.id_no < b.id_no
    where a.has_decision or b.has_decision

    union all

    select
        a.citizen_id,
        least(coalesce(a.said_on, {{ as_of() }}), coalesce(b.said_on, {{ as_of() }})),
        {{ joined_evidence('a.evidence', 'b.evidence') }},
        false
    from paid_under as a
    inner join paid_under as b
        on a.citizen_id = b.citizen_id and a.name = b.name and a.bank_account = b.bank_account and a.id_no < b.id_no
    where not {{ is_lost_tail('a.id_no', 'b.id_no') }}
        and a.record_count >= {{ parameter('several_records') }}
        and b.record_count >= {{ parameter('several_records') }}

),

cases as (

    select
        citizen_id,
        cast(null as varchar) as household_key,
        min(said_on) as case_from,
        cast(null as date) as case_to,
        0 as amount_yuan,
        max(case when is_certain then 1 else 0 end) = 1 as is_certain,
        {{ gathered_evidence('evidence') }} as evidence
    from pairs
    group by citizen_id

)

{{ leads_from_cases('one_person_two_numbers', 'B') }}
