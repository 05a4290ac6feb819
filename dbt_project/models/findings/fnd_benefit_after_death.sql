-- One row per citizen and run of consecutive benefit months that someone was paid for after dying.
--
-- Holds when a benefit of a person (old_age_allowance, both disability subsidies), special hardship support, or the
-- minimum living guarantee of a one-person household covers a month later than the death month + grace_months.
-- One-person household: exactly one member row in that month's accepted file; its member is the person meant.
-- Lawful: the death month itself; back-pay for earlier months whenever it is paid (months covered count, not the day of
-- payment); burial costs of the extremely poor and price subsidies (not in the list below).
-- Parameters: grace_months. Amount: the sum of those months.
-- Traps: the handler's number typed as the deceased's; a payee linked by probability (then needs_identity_review); a
-- death known only by its year (serves no rule); a cremation months after an unknown death date (months are late, never
-- early).
with one_person_households as (

    select
        household_key, household_month, min(citizen_id) as member_citizen_id, min(source_record_id) as source_record_id,
        min(source_system) as source_system, min(source_table) as source_table,
        max(case when is_certain then 1 else 0 end) = 1 as is_certain
    from {{ ref('household_members') }}
    group by household_key, household_month
    having count(*) = 1

),

beneficiaries as (

    select
        coalesce(o.member_citizen_id, b.citizen_id) as citizen_id,
        b.household_key, b.benefit_month, b.amount_yuan,
        case when o.member_citizen_id is null or o.member_citizen_id = b.citizen_id
            then b.is_certain or coalesce(o.is_certain, false)
            else o.is_certain
        end as is_certain,
        {{ evidence_of(['b', 'o']) }} as evidence
    from {{ ref('int_benefit_months__expanded') }} as b
    inner join one_person_households as o
        on b.household_key = o.household_key and b.benefit_month = o.household_month
    where b.benefit in ('dibao_urban', 'dibao_rural')

    union all

    select
        b.citizen_id,
        b.household_key, b.benefit_month, b.amount_yuan,
        b.is_certain,
        {{ evidence_of(['b']) }} as evidence
    from {{ ref('int_benefit_months__expanded') }} as b
    where b.benefit in ('old_age_allowance', 'disability_living', 'disability_nursing', 'tekun')

),

cases as (

    select
        b.citizen_id,
        b.household_key,
        b.benefit_month as case_from,
        {{ month_end('b.benefit_month') }} as case_to,
        b.amount_yuan,
        b.is_certain and d.is_certain as is_certain,
        {{ with_records('b.evidence', ['d']) }} as evidence
    from beneficiaries as b
    inner join {{ ref('int_deaths__judged') }} as d on b.citizen_id = d.citizen_id
    where b.benefit_month > {{ moved('d.death_month', 'month', parameter('grace_months')) }}

)

{{ leads_from_cases('benefit_after_death', 'A') }}
