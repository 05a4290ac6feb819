-- One row per citizen, attribute, value, source table and role that states it, where the values of a citizen compete
-- (int_mentions__compared): statements, seen from and to.
--
-- The same value stated again by the same table in another way is the same statement seen again. Part of
-- int_statements__judged, where all of them are found again with the verdict.
{{ config(materialized='ephemeral') }}
with to_fold as (

    select *
    from ({{ statements_in(ref('int_mentions__compared'), where='MARK is null') }}) as stated
    where attribute <> 'phone'

    union all

    select
        citizen_id, 'phone', phone, 'stated', source_system, source_table, role, is_withdrawn, false, trust_place, 1,
        record_count, source_record_id, said_on, seen_from, seen_to, cast(null as boolean)
    from (
        select compared.*, {{ each_element('phones') }} as phone
        from {{ ref('int_mentions__compared') }} as compared
        where phones is not null and takes_phone is null
    ) as with_phones
    where phone is not null

)

select
    citizen_id,
    attribute,
    value,
    origin,
    source_system,
    source_table,
    role,
    is_withdrawn,
    min(trust_place) as trust_place,
    min(validity_place) as validity_place,
    max(case when is_repaired then 1 else 0 end) = 1 as is_repaired,
    sum(record_count) as record_count,
    {{ last_of('source_record_id', 'said_on') }} as source_record_id,
    max(said_on) as said_on,
    min(seen_from) as seen_from,
    max(seen_to) as seen_to
from to_fold
group by citizen_id, attribute, value, origin, source_system, source_table, role, is_withdrawn
