-- One row per payment that counts: failed ones are out, and a payment that a zone and the statutory district of its
-- land both report stands once, with the zone.
--
-- The same payment is: same payment number, benefit, period, number of months and amount, and the same payee (the same
-- citizen, or the same name where identity could not tell). The pairs of zone and statutory district are the seed
-- zone_lands. Two payments with different numbers are two payments.
with paid as (

    select
        p.*,
        coalesce(p.month_count, 1) as covered_months,
        l.citizen_id as payee_citizen_id,
        coalesce(l.is_certain, false) as payee_is_certain
    from {{ ref('int_payments__unioned') }} as p
    left join {{ source('identity', 'mention_links') }} as l on p.mention_key = l.mention_key
    where not coalesce(p.is_failed, false)

),

pairs as (

    select
        s.source_system, s.source_record_id, s.mention_key, o.mention_key as other_mention_key,
        o.payee_citizen_id = s.payee_citizen_id as is_same_citizen
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

-- Names are looked up for these few payments only.
payee_names as (

    select mention_key, name
    from {{ ref('int_mentions__unioned') }}
    where mention_key in (select mention_key from pairs union select other_mention_key from pairs)

),

reported_twice as (

    select distinct pairs.source_system, pairs.source_record_id
    from pairs
    left join payee_names as n on pairs.mention_key = n.mention_key
    left join payee_names as o on pairs.other_mention_key = o.mention_key
    where pairs.is_same_citizen or n.name = o.name

)

select paid.*
from paid
left join reported_twice as t
    on paid.source_system = t.source_system and paid.source_record_id = t.source_record_id
where t.source_record_id is null
