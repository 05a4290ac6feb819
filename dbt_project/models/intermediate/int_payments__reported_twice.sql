-- One row per payment that the statutory district of a zone's land reports, and the zone too: it counts there.
--
-- The same payment is: same payment number, benefit, period, number of months and amount, and the same payee (the same
-- citizen, or the same name where identity could not tell). The pairs of zone and statutory district are the seed
-- zone_lands. Two payments with different numbers are two payments. Citizens and names are looked up for these few only.
with paid as (

    select *, coalesce(month_count, 1) as covered_months
    from {{ ref('int_payments__unioned') }}
    where not coalesce(is_failed, false)

),

pairs as (

    select s.source_system, s.source_record_id, s.mention_key, o.mention_key as other_mention_key
    from paid as s
    inner join {{ ref('zone_lands') }} as z on s.managing_district = z.statutory_district
    inner join paid as o
        on o.managing_district = z.zone_district
        and o.payment_no = s.payment_no
        and o.benefit = s.benefit
        and o.period_from = s.period_from
        and o.covered_months = s.covered_months
        and o.amount_yuan = s.amount_yuan

),

payees as (

    select m.mention_key, m.name, l.citizen_id
    from {{ ref('int_mentions__unioned') }} as m
    left join {{ source('identity', 'mention_links') }} as l on m.mention_key = l.mention_key
    where m.mention_key in (select mention_key from pairs union select other_mention_key from pairs)

)

select distinct pairs.source_system, pairs.source_record_id
from pairs
inner join payees as s on pairs.mention_key = s.mention_key
inner join payees as o on pairs.other_mention_key = o.mention_key
where s.citizen_id = o.citizen_id or s.name = o.name
