-- What a district's files count is what stands in benefit_months for the payments of those files.
with counted as (

    select p.managing_district, p.delivered_month, sum(b.amount_yuan) as amount_yuan
    from {{ ref('benefit_months') }} as b
    inner join {{ ref('int_payments__unioned') }} as p
        on b.source_system = p.source_system and b.source_record_id = p.source_record_id
    where p.source_system in (select f.source_system from {{ ref('int_payment_files__unioned') }} as f)
    group by p.managing_district, p.delivered_month

)

select counted.*, r.counted_yuan
from counted
left join {{ ref('payment_reconciliation') }} as r
    on counted.managing_district = r.managing_district and counted.delivered_month = r.delivered_month
where r.counted_yuan is null or r.counted_yuan <> counted.amount_yuan
