-- One row per citizen who probably holds a second valid identity number, or does so by a clerk's decision.
--
-- Holds by decision (one citizen with two valid numbers), or on strong evidence: two citizens with different valid
-- numbers bear the same name on several_records records each, and share a bank account, or a disability certificate of
-- one carries the other's number, or both are married to the same spouse. Identity never joins two numbers by itself.
-- Lawful: twins (they bear different names). Parameters: several_records. No money is at stake by itself.
-- Traps: namesakes married to the same person one after the other; an account lent to a namesake.
with numbered as (

    select
        l.citizen_id, m.id_no, m.name,
        count(*) as record_count,
        bool_or(l.link_method = 'decision') as has_decision,
        min(m.said_on) as said_on,
        {{ gathered_records('m') }} as evidence
    from {{ ref('int_mentions__unioned') }} as m
    inner join {{ source('identity', 'mention_links') }} as l on m.mention_key = l.mention_key
    where m.id_no is not null and m.name is not null and l.citizen_id is not null and l.is_certain
        and not coalesce(m.is_withdrawn, false)
    group by l.citizen_id, m.id_no, m.name

),

accounts as (

    select distinct l.citizen_id, m.bank_account
    from {{ ref('int_mentions__unioned') }} as m
    inner join {{ source('identity', 'mention_links') }} as l on m.mention_key = l.mention_key
    where m.bank_account is not null and l.citizen_id is not null and not coalesce(m.is_withdrawn, false)

),

certificates as (

    select distinct l.citizen_id, m.certificate_id_no
    from {{ ref('int_mentions__unioned') }} as m
    inner join {{ source('identity', 'mention_links') }} as l on m.mention_key = l.mention_key
    where m.certificate_id_no is not null and l.citizen_id is not null and not coalesce(m.is_withdrawn, false)

),

shared as (

    select a.citizen_id, b.citizen_id as other_citizen_id
    from accounts as a
    inner join accounts as b on a.bank_account = b.bank_account and a.citizen_id <> b.citizen_id

    union

    select c.citizen_id, n.citizen_id
    from certificates as c
    inner join numbered as n on c.certificate_id_no = n.id_no and c.citizen_id <> n.citizen_id

    union

    select n.citizen_id, c.citizen_id
    from certificates as c
    inner join numbered as n on c.certificate_id_no = n.id_no and c.citizen_id <> n.citizen_id

    union

    select a.citizen_id, b.citizen_id
    from {{ ref('int_marriages__dated') }} as a
    inner join {{ ref('int_marriages__dated') }} as b
        on a.partner_citizen_id = b.partner_citizen_id and a.citizen_id <> b.citizen_id

),

pairs as (

    select
        a.citizen_id,
        least(coalesce(a.said_on, {{ as_of() }}), coalesce(b.said_on, {{ as_of() }})) as said_on,
        {{ joined_evidence('a.evidence', 'b.evidence') }} as evidence
    from shared
    inner join numbered as a on shared.citizen_id = a.citizen_id
    inner join numbered as b on shared.other_citizen_id = b.citizen_id and a.name = b.name and a.id_no <> b.id_no
    where a.record_count >= {{ parameter('several_records') }}
        and b.record_count >= {{ parameter('several_records') }}

    union all

    select
        a.citizen_id,
        least(coalesce(a.said_on, {{ as_of() }}), coalesce(b.said_on, {{ as_of() }})),
        {{ joined_evidence('a.evidence', 'b.evidence') }}
    from numbered as a
    inner join numbered as b on a.citizen_id = b.citizen_id and a.id_no < b.id_no
    where a.has_decision or b.has_decision

),

cases as (

    select
        citizen_id,
        cast(null as varchar) as household_key,
        min(said_on) as case_from,
        cast(null as date) as case_to,
        0 as amount_yuan,
        true as is_certain,
        {{ gathered_evidence('evidence') }} as evidence
    from pairs
    group by citizen_id

)

{{ leads_from_cases('one_person_two_numbers', 'B') }}
