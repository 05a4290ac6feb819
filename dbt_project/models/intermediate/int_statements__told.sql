-- One row per statement (citizen, attribute, value, origin, source table and role): what mentions state, seen from and to,
-- with whether it is the chosen one of its attribute, and the rule that chose it.
--
-- A view: every statement stands once, in the folded mention that makes it, or among those that compete.
{{ config(materialized='view') }}
{% set of_one_voice = "case 'MARK'
    when 'takes_number_birth_date' then has_own_number is true or birth_date is null
    when 'takes_birth_date' then has_own_number is not true
    when 'takes_number_sex' then has_own_number is true or sex is null
    when 'takes_sex' then has_own_number is not true
    else true
end" %}
{% set columns = "citizen_id, attribute, value, origin, source_system, source_table, role, is_withdrawn, is_repaired, trust_place,
    validity_place, record_count, source_record_id, said_on, seen_from, seen_to, is_chosen" %}
{% for relation, where, chosen in [
    (ref('int_mentions__folded'), 'is_of_one_voice', of_one_voice),
    (ref('int_mentions__compared'), 'MARK is not null', 'MARK'),
] %}
select
    {{ columns }},
    false as is_tied,
    case
        when is_chosen then case when origin = 'identity_number' then 'identity number' else {{ survivorship_rule() }} end
    end as chosen_rule
from ({{ statements_in(relation, where, chosen) }}) as undisputed

union all
{% endfor %}

select {{ columns }}, is_tied, chosen_rule
from {{ ref('int_statements__judged') }}
