-- One row per payment that counts: failed ones are out, and a payment that a zone and the statutory district of its
-- land both report stands once, with the zone (int_payments__reported_twice).
{{ config(materialized='view') }}
select
    p.*,
    coalesce(p.month_count, 1) as covered_months,
    l.citizen_id as payee_citizen_id,
    coalesce(l.is_certain, false) as payee_is_certain
from {{ ref('int_payments__unioned') }} as p
left join {{ source('identity', 'mention_links') }} as l on p.mention_key = l.mention_key
left join {{ ref('int_payments__reported_twice') }} as t
    on p.source_system = t.source_system and p.source_record_id = t.source_record_id
where not coalesce(p.is_failed, false) and t.source_record_id is null
