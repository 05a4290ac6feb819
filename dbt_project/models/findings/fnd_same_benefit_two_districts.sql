-- One row per citizen (or head of a household) and run of consecutive months that two managing districts paid the same
-- benefit for.
--
-- Lawful: the same payment reported by a zone and by the statutory district of its land; it stands once, with the zone,
-- before this rule looks (int_payments__standing). Two payments with different numbers are two payments.
-- Amount: of each month and benefit, all districts' payments less the largest district's.
-- Traps: a move in the middle of a month; a payee linked by probability (then needs_identity_review: two districts must
-- have certain links).
with by_district as (

    select
        b.citizen_id, b.benefit, b.benefit_month, b.managing_district,
        min(b.household_key) as household_key,
        sum(b.amount_yuan) as amount_yuan,
        max(case when b.is_certain then 1 else 0 end) as is_certain,
        {{ gathered_records('b') }} as evidence
    from {{ ref('int_benefit_months__expanded') }} as b
    inner join (
        select citizen_id, benefit, benefit_month
        from {{ ref('int_benefit_months__expanded') }}
        where citizen_id is not null
        group by citizen_id, benefit, benefit_month
        having min(managing_district) <> max(managing_district)
    ) as twice
        on b.citizen_id = twice.citizen_id and b.benefit = twice.benefit and b.benefit_month = twice.benefit_month
    group by b.citizen_id, b.benefit, b.benefit_month, b.managing_district

),

cases as (

    select
        citizen_id,
        min(household_key) as household_key,
        benefit_month as case_from,
        {{ month_end('benefit_month') }} as case_to,
        sum(amount_yuan) - max(amount_yuan) as amount_yuan,
        sum(is_certain) >= 2 as is_certain,
        {{ gathered_evidence('evidence') }} as evidence
    from by_district
    group by citizen_id, benefit, benefit_month

)

{{ leads_from_cases('same_benefit_two_districts', 'A') }}
