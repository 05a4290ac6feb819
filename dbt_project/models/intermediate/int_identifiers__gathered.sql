-- One row per citizen, kind of identifier, value and source system, of systems that name a citizen in several ways: first
-- and last seen.
with stated as (

    select citizen_id, attribute, value, source_system, seen_from, seen_to, said_on, record_count, is_repaired
    from ({{ statements_in(ref('int_mentions__compared'), where='not is_alone_in_system') }}) as told
    where attribute in ({{ identifier_kinds() }}) and attribute <> 'phone'

    union all

    select citizen_id, 'phone', phone, source_system, seen_from, seen_to, said_on, record_count, false
    from (
        select compared.*, {{ each_element('phones') }} as phone
        from {{ ref('int_mentions__compared') }} as compared
        where phones is not null and not is_alone_in_system
    ) as with_phones
    where phone is not null

)

select
    citizen_id,
    attribute as identifier_kind,
    value as identifier_value,
    source_system,
    min(seen_from) as seen_from,
    max(seen_to) as seen_to,
    max(said_on) as said_on,
    sum(record_count) as record_count,
    max(case when is_repaired then 1 else 0 end) = 1 as is_repaired
from stated
group by citizen_id, attribute, value, source_system
