{#
    What a folded mention can state, one entry per kind of statement: the attribute, its value, where the value comes from,
    the places it takes among competing statements, and the mark in int_mentions__compared that tells whether it is chosen.
    Values inside a sound identity number (birth date, sex) are statements of their own, origin 'identity_number'.
#}
{% macro statement_kinds() -%}
    {%- set kinds = [] -%}
    {%- set repairs = {'name': 'has_repaired_name', 'address': 'has_repaired_address'} -%}
    {%- for column in [
        'name', 'sex', 'id_no', 'other_document_no', 'certificate_id_no', 'hukou_district', 'managing_district', 'address',
        'bank_account'
    ] -%}
        {%- do kinds.append({
            'attribute': column, 'value': column, 'origin': 'stated', 'present': column, 'trust': 'trust_place',
            'validity': '1', 'mark': 'takes_' ~ column, 'repaired': repairs.get(column, 'false')
        }) -%}
    {%- endfor -%}
    {%- do kinds.append({
        'attribute': 'phone', 'value': first_element('phones'), 'origin': 'stated', 'present': first_element('phones'),
        'trust': 'trust_place', 'validity': '1', 'mark': 'takes_phone', 'repaired': 'false'
    }) -%}
    {%- do kinds.append({
        'attribute': 'birth_date', 'value': date_text('birth_date', 'birth_date_precision'), 'origin': 'stated',
        'present': 'birth_date', 'trust': 'trust_place', 'validity': validity_place('birth_date_precision'),
        'mark': 'takes_birth_date', 'repaired': 'false'
    }) -%}
    {%- do kinds.append({
        'attribute': 'birth_date', 'value': birth_text_in('id_no'), 'origin': 'identity_number', 'present': 'id_no',
        'trust': number_trust('has_own_number'), 'validity': '1', 'mark': 'takes_number_birth_date',
        'repaired': 'false'
    }) -%}
    {%- do kinds.append({
        'attribute': 'sex', 'value': sex_in('id_no'), 'origin': 'identity_number', 'present': 'id_no',
        'trust': number_trust('has_own_number'), 'validity': '1', 'mark': 'takes_number_sex',
        'repaired': 'false'
    }) -%}
    {{ return(kinds) }}
{%- endmacro %}


{# The birth date inside a sound identity number, as text. #}
{% macro birth_text_in(number) -%}
    substr({{ number }}, 7, 4) || '-' || substr({{ number }}, 11, 2) || '-' || substr({{ number }}, 13, 2)
{%- endmacro %}


{# The sex inside a sound identity number. #}
{% macro sex_in(number) -%}
    case when substr({{ number }}, 17, 1) in ('1', '3', '5', '7', '9') then 'male' else 'female' end
{%- endmacro %}


{# How far what a number says is trusted: the citizen's own number before everything, another's after everything. #}
{% macro number_trust(is_own) -%} case when {{ is_own }} then 0 else 4 end {%- endmacro %}


{# A full date before a month before a year. #}
{% macro validity_place(precision) -%} case {{ precision }} when 'month' then 2 when 'year' then 3 else 1 end {%- endmacro %}


{#
    The place that a statement of this kind takes among those of the same value, as one whole number: withdrawn ones last,
    then by trust, then by the mention's place, a number before what is stated beside it.
#}
{% macro statement_place(kind) -%}
    case when is_withdrawn then 1000000000000 else 0 end + 100000000000 * ({{ kind.trust }}) + 2 * place
        + {{ 0 if kind.origin == 'identity_number' else 1 }}
{%- endmacro %}


{#
    One row per value that a folded mention states. `marks` are columns to add, expressions in which KIND stands for an
    entry's mark; `where` is a condition of the same form.
#}
{% macro statements_in(relation, where='true', chosen='cast(null as boolean)') -%}
    {%- for kind in statement_kinds() %}
    select
        citizen_id, '{{ kind.attribute }}' as attribute, {{ kind.value }} as value, '{{ kind.origin }}' as origin,
        source_system, source_table, role, is_withdrawn, {{ kind.repaired }} as is_repaired,
        {{ kind.trust }} as trust_place, {{ kind.validity }} as validity_place,
        record_count, source_record_id, said_on, seen_from, seen_to,
        {{ chosen | replace('MARK', kind.mark) }} as is_chosen
    from {{ relation }}
    where {{ kind.present }} is not null and {{ where | replace('MARK', kind.mark) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{# The attributes that identify a person, quoted, for a condition. #}
{% macro identifier_kinds() -%}
    'id_no', 'other_document_no', 'certificate_id_no', 'name', 'phone', 'address', 'bank_account'
{%- endmacro %}
