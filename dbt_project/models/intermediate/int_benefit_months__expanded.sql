-- One row per payment that counts and month that it covers, with the month's part of the amount.
--
-- A payment of n months from period_from covers n consecutive months; its amount is split into equal parts to the fen,
-- the remainder on the last month. For a benefit of a household the citizen is its head: the payee, whom the payment
-- names as head, else the head that the household's file of that month names.
with parts as (

    select
        p.*,
        cast({{ month_of('p.period_from') }} as date) as first_month,
        cast(trunc(p.amount_yuan * 100 / p.covered_months) as bigint) as part_fen,
        cast(p.amount_yuan * 100 as bigint) as amount_fen
    from {{ ref('int_payments__standing') }} as p
    where p.covered_months >= 1 and p.period_from is not null

),

numbered as (

    select parts.*, {{ each_number_below('parts.covered_months') }} as month_number
    from parts

),

expanded as (

    select
        numbered.*,
        {{ moved('first_month', 'month', 'cast(month_number as integer)') }} as benefit_month,
        cast(
            case
                when month_number = covered_months - 1 then amount_fen - part_fen * (covered_months - 1)
                else part_fen
            end as decimal(18, 2)
        ) / 100 as amount_of_month
    from numbered

)

select
    case
        when e.payee_citizen_id is not null then e.payee_citizen_id
        when e.household_key is not null then h.head_citizen_id
    end as citizen_id,
    e.household_key,
    e.benefit,
    e.benefit_month,
    e.managing_district,
    cast(e.amount_of_month as decimal(12, 2)) as amount_yuan,
    e.paid_on,
    e.source_record_id,
    e.source_system,
    e.source_table,
    case when e.payee_citizen_id is not null then e.payee_is_certain else coalesce(h.head_is_certain, false) end as is_certain,
    e.mention_key
from expanded as e
left join {{ ref('int_household_heads__chosen') }} as h
    on e.household_key = h.household_key and e.benefit_month = h.household_month
