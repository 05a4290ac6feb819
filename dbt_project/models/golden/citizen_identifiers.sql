-- Restricted. One row per citizen, kind of identifier, value and source system: first and last seen.
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
from {{ ref('int_statements__gathered') }}
where attribute in ('id_no', 'other_document_no', 'certificate_id_no', 'name', 'phone', 'address', 'bank_account')
group by citizen_id, attribute, value, source_system
