-- Restricted. One row per statement (citizen, attribute, value, origin, source table and role): what is said, by which
-- record, when; the chosen statement of each attribute is marked with the rule that chose it.
--
-- Declared marital statuses are statements too; none is chosen, because the published one follows from events: those
-- events are statements of origin 'derived'. Records of a death or cremation are the statements of death_date.
--
-- A view: every statement stands once in the tables it unites, and writing them all again would take longer than all else.
{{ config(materialized='view') }}
select
    citizen_id, attribute, value, origin, source_system, source_table, source_record_id, role, is_withdrawn,
    is_repaired, said_on, seen_from, seen_to, record_count, is_chosen, is_tied, chosen_rule as rule
from {{ ref('int_statements__told') }}

union all

select
    citizen_id, attribute, value, 'declared' as origin, source_system, source_table, source_record_id, role, is_withdrawn,
    false as is_repaired, said_on, seen_from, seen_to, record_count, false as is_chosen, false as is_tied, 'derived from events' as rule
from {{ ref('int_declarations__stated') }}

union all

select
    citizen_id, attribute, value, origin, source_system, source_table, source_record_id, role, is_withdrawn,
    false as is_repaired, said_on, seen_on as seen_from, seen_on as seen_to, 1 as record_count, is_chosen,
    false as is_tied, rule
from {{ ref('int_states__stated') }}
