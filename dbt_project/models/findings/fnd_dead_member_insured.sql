-- One row per dead member and run of consecutive months in which a household still counted the person as insured.
--
-- Holds when a household with more than one member row in a month's accepted file counts a dead member as insured in a
-- month later than the death month + recheck_months, and was paid for that month.
-- Lawful: months inside the re-check window.
-- Parameters: recheck_months. Amount: the household's payment for the month, shared equally over its insured members.
-- Traps: a member linked by probability (then needs_identity_review); one person in two households.
with sizes as (

    select
        household_key, household_month, count(*) as member_count,
        sum(case when is_insured then 1 else 0 end) as insured_count
    from {{ ref('household_members') }}
    group by household_key, household_month
    having count(*) > 1

),

paid as (

    select
        household_key, benefit_month, sum(amount_yuan) as amount_yuan,
        {{ gathered_records('b') }} as evidence
    from {{ ref('int_benefit_months__expanded') }} as b
    where household_key is not null and benefit in ('dibao_urban', 'dibao_rural', 'tekun')
    group by household_key, benefit_month

),

cases as (

    select
        m.citizen_id,
        m.household_key,
        m.household_month as case_from,
        {{ month_end('m.household_month') }} as case_to,
        paid.amount_yuan / sizes.insured_count as amount_yuan,
        m.is_certain and d.is_certain as is_certain,
        {{ with_records('paid.evidence', ['m', 'd']) }} as evidence
    from {{ ref('household_members') }} as m
    inner join {{ ref('int_deaths__judged') }} as d on m.citizen_id = d.citizen_id
    inner join sizes on m.household_key = sizes.household_key and m.household_month = sizes.household_month
    inner join paid on m.household_key = paid.household_key and m.household_month = paid.benefit_month
    where m.is_insured
        and m.household_month > {{ moved('d.death_month', 'month', parameter('recheck_months')) }}

)

{{ leads_from_cases('dead_member_insured', 'B') }}
