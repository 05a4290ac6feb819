-- One row per head of a one-person household and run of consecutive months in which the household drew the minimum
-- living guarantee as a whole household of one, while the head is married.
--
-- Holds when the household has exactly one member row in the month's accepted file, the mode is whole_household, the
-- head's latest marital event (as known on the day of the run) is a marriage that is still open, the marriage was made in
-- that month or before, and the spouse is not known dead.
-- Lawful: mode single_person; a later divorce, annulment or death of the spouse (a death linked only by probability
-- is enough, and so is a funeral that the head arranged as the spouse of the deceased, whoever that is: nobody is accused
-- on a marriage that has probably ended); an annulment of another marriage since, which leaves open what the head is by
-- law; months after the head's own death.
-- Amount: what the household was paid for those months.
-- Traps: court divorces are in no silo; a re-issued certificate restates a marriage, perhaps of another province.
with buried_spouses as (

    select citizen_id, max(event_date) as event_date from {{ ref('int_spouses__buried') }} group by citizen_id

),

annulled as (

    select citizen_id, max(event_date) as event_date
    from {{ ref('int_acts__linked') }}
    where event_type = 'annulment'
    group by citizen_id

),

married as (

    select
        s.citizen_id, s.happened_on, s.is_certain, s.source_system, s.source_table, s.source_record_id
    from {{ ref('int_marital_states__dated') }} as s
    left join {{ ref('int_deaths__judged') }} as d on s.partner_citizen_id = d.citizen_id
    left join buried_spouses as b
        on s.citizen_id = b.citizen_id and b.event_date >= coalesce(s.happened_on, {{ far_past() }})
    left join annulled as a
        on s.citizen_id = a.citizen_id and a.event_date >= coalesce(s.happened_on, {{ far_past() }})
    where s.is_last and s.marital_code = '20' and d.citizen_id is null and b.citizen_id is null and a.citizen_id is null

),

members as (

    select
        household_key, household_month, min(citizen_id) as citizen_id,
        max(case when is_certain then 1 else 0 end) = 1 as is_certain,
        min(source_system) as source_system, min(source_table) as source_table, min(source_record_id) as source_record_id
    from {{ ref('household_members') }}
    group by household_key, household_month
    having count(*) = 1

),

paid as (

    select household_key, benefit_month, sum(amount_yuan) as amount_yuan, {{ gathered_records('b') }} as evidence
    from {{ ref('int_benefit_months__expanded') }} as b
    where household_key is not null and benefit in ('dibao_urban', 'dibao_rural')
    group by household_key, benefit_month

),

cases as (

    select
        married.citizen_id,
        h.household_key,
        h.household_month as case_from,
        {{ month_end('h.household_month') }} as case_to,
        coalesce(paid.amount_yuan, 0) as amount_yuan,
        married.is_certain
        and case when h.head_citizen_id is not null then h.head_is_certain else m.is_certain end as is_certain,
        {{ joined_evidence(evidence_of(['h', 'm', 'married']), 'coalesce(paid.evidence, [])') }} as evidence
    from {{ ref('int_household_heads__chosen') }} as h
    inner join members as m on h.household_key = m.household_key and h.household_month = m.household_month
    inner join married on coalesce(h.head_citizen_id, m.citizen_id) = married.citizen_id
    left join paid on h.household_key = paid.household_key and h.household_month = paid.benefit_month
    left join {{ ref('int_deaths__judged') }} as own on married.citizen_id = own.citizen_id
    where h.benefit in ('dibao_urban', 'dibao_rural')
        and h.mode = 'whole_household'
        and coalesce(married.happened_on, {{ far_past() }}) <= {{ month_end('h.household_month') }}
        and h.household_month <= coalesce({{ month_of('own.death_date') }}, {{ far_future() }})

)

{{ leads_from_cases('undeclared_marriage', 'B') }}
