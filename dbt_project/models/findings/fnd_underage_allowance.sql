-- One row per citizen and run of consecutive months that the old_age_allowance covers before the month in which the
-- citizen turns old_age_years (80), by the birth date inside the identity number.
--
-- Parameters: old_age_years. Amount: the sum of those months.
-- Traps: an identity number corrected later (one_person_two_numbers); a relative's number typed for the payee.
with cases as (

    select
        b.citizen_id,
        b.household_key,
        b.benefit_month as case_from,
        {{ month_end('b.benefit_month') }} as case_to,
        b.amount_yuan,
        b.is_certain,
        {{ evidence_of(['b']) }} as evidence
    from {{ ref('int_benefit_months__expanded') }} as b
    inner join {{ ref('int_citizens__described') }} as c on b.citizen_id = c.citizen_id
    where b.benefit = 'old_age_allowance'
        and b.benefit_month < {{ month_of(moved('c.birth_date_by_number', 'year', parameter('old_age_years'))) }}

)

{{ leads_from_cases('underage_allowance', 'B') }}
