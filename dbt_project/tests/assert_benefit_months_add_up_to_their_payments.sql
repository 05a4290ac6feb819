-- Every payment that counts and says which months it covers is split without a fen lost or won.
select p.source_system, p.source_record_id
from {{ ref('int_payments__standing') }} as p
left join (
    select source_system, source_record_id, sum(amount_yuan) as amount_yuan, count(*) as month_count
    from {{ ref('benefit_months') }}
    group by source_system, source_record_id
) as b on p.source_system = b.source_system and p.source_record_id = b.source_record_id
where p.period_from is not null
    and p.covered_months >= 1
    and (b.month_count is null or b.month_count <> p.covered_months or b.amount_yuan <> p.amount_yuan)
