-- One row per citizen and run of consecutive months with two benefits that exclude each other.
--
-- The pairs stand in the dated table exclusive_benefits. Lawful: different members of one household; a household's
-- payment names its head, so a head whom the member file of the month counts as not insured is paid for others and does
-- not hold that benefit.
-- Amount: the months of the excluded benefit.
-- Traps: the month of a change from one benefit to the other; a payee linked by probability (then needs_identity_review).
with held as (

    select
        b.citizen_id, b.benefit, b.benefit_month,
        min(b.household_key) as household_key,
        sum(b.amount_yuan) as amount_yuan,
        max(case when b.is_certain then 1 else 0 end) = 1 as is_certain,
        {{ gathered_records('b') }} as evidence
    from {{ ref('int_benefit_months__expanded') }} as b
    left join (
        select citizen_id, household_key, household_month, max(case when is_insured then 1 else 0 end) as is_insured
        from {{ ref('household_members') }}
        where is_insured is not null
        group by citizen_id, household_key, household_month
    ) as m
        on b.household_key = m.household_key and b.benefit_month = m.household_month and b.citizen_id = m.citizen_id
    where b.citizen_id is not null
        and coalesce(m.is_insured, 1) = 1
        and b.benefit in (
            select benefit from {{ ref('exclusive_benefits') }} union select excluded_benefit from {{ ref('exclusive_benefits') }}
        )
    group by b.citizen_id, b.benefit, b.benefit_month

),

pairs as (

    select
        x.citizen_id, x.benefit, x.benefit_month, x.household_key, x.amount_yuan,
        bool_or(h.is_certain and x.is_certain) as is_certain,
        min(x.evidence) as excluded_evidence,
        {{ gathered_evidence('h.evidence') }} as evidence
    from held as h
    inner join {{ ref('exclusive_benefits') }} as e
        on h.benefit = e.benefit
        and h.benefit_month >= {{ month_of('e.valid_from') }}
        and h.benefit_month <= coalesce(e.valid_to, {{ far_future() }})
    inner join held as x
        on x.benefit = e.excluded_benefit and x.citizen_id = h.citizen_id and x.benefit_month = h.benefit_month
    group by x.citizen_id, x.benefit, x.benefit_month, x.household_key, x.amount_yuan

),

cases as (

    select
        citizen_id,
        household_key,
        benefit_month as case_from,
        {{ month_end('benefit_month') }} as case_to,
        amount_yuan,
        is_certain,
        {{ joined_evidence('excluded_evidence', 'evidence') }} as evidence
    from pairs

)

{{ leads_from_cases('exclusive_benefits', 'A') }}
