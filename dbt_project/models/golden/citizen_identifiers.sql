-- Restricted. One row per citizen, kind of identifier, value and source system: first and last seen.
--
-- A view: where a source system names a citizen in one way, its identifiers stand in one folded mention; the others are
-- gathered in int_identifiers__gathered.
{{ config(materialized='view') }}
{% for relation, where in [
    (ref('int_mentions__folded'), 'is_of_one_voice'), (ref('int_mentions__compared'), 'is_alone_in_system')
] %}
select
    citizen_id,
    attribute as identifier_kind,
    value as identifier_value,
    source_system,
    seen_from,
    seen_to,
    said_on,
    record_count,
    is_repaired
from ({{ statements_in(relation, where=where) }}) as stated
where attribute in ({{ identifier_kinds() }})

union all
{% endfor %}

select
    citizen_id, identifier_kind, identifier_value, source_system, seen_from, seen_to, said_on, record_count, is_repaired
from {{ ref('int_identifiers__gathered') }}
