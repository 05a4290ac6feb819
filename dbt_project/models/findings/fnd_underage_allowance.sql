-- One row per citizen and run of consecutive months that the old_age_allowance covers before the month in which the
-- citizen turns old_age_years (80), by the birth date inside the identity number.
--
-- Parameters: old_age_years. Amount: the sum of those months.
-- A relative's number typed for the payee makes a payee too young. So nobody is called too young whose number several
-- people claim, nor a payee whom only payments know where a certain citizen of the very name, of the age and of the
-- district, is paid nothing: the payment is theirs.
-- Traps: an identity number corrected later (one_person_two_numbers).
with too_young as (

    select
        b.citizen_id, b.household_key, b.benefit_month, b.amount_yuan, b.is_certain,
        {{ evidence_of(['b']) }} as evidence
    from {{ ref('int_benefit_months__expanded') }} as b
    inner join {{ ref('int_citizens__described') }} as c on b.citizen_id = c.citizen_id
    where b.benefit = 'old_age_allowance'
        and c.has_certain_link
        and b.benefit_month < {{ month_of(moved('c.birth_date_by_number', 'year', parameter('old_age_years'))) }}

),

-- Those of them whom only payments know: few, so that few names are looked for in the city.
unknown_payees as (

    select distinct citizen_id, name, district
    from {{ ref('int_payees__named') }}
    where benefit = 'old_age_allowance' and not is_known_elsewhere and citizen_id in (select citizen_id from too_young)

),

mistaken_payees as (

    select distinct n.citizen_id
    from unknown_payees as n
    inner join {{ ref('int_citizens__described') }} as c
        on n.name = c.name and n.citizen_id <> c.citizen_id
        and (n.district = c.hukou_district or n.district = c.managing_district)
    where c.has_certain_link
        and {{ moved('coalesce(c.birth_date_by_number, c.birth_date)', 'year', parameter('old_age_years')) }} <= {{ as_of() }}
        and c.citizen_id not in (
            select citizen_id from {{ ref('int_payees__named') }}
            where benefit = 'old_age_allowance' and citizen_id is not null
        )

),

cases as (

    select
        citizen_id,
        household_key,
        benefit_month as case_from,
        {{ month_end('benefit_month') }} as case_to,
        amount_yuan,
        is_certain,
        evidence
    from too_young
    where citizen_id not in (select citizen_id from mistaken_payees)

)

{{ leads_from_cases('underage_allowance', 'B') }}
