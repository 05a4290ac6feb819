{#
    One row per value that a folded mention states: the columns of a mention taken apart, telephones left out. Values inside
    a sound identity number (birth date, sex) are statements of their own, origin 'identity_number'.
#}
{% macro statements_in(relation) -%}
    {%- set plain = {
        'name': 'name', 'sex': 'sex', 'id_no': 'id_no', 'other_document_no': 'other_document_no',
        'certificate_id_no': 'certificate_id_no', 'hukou_district': 'hukou_district',
        'managing_district': 'managing_district', 'address': 'address', 'bank_account': 'bank_account'
    } -%}
    {%- set repairs = {'name': 'has_repaired_name', 'address': 'has_repaired_address'} -%}
    {% for attribute, column in plain.items() %}
    select
        citizen_id, '{{ attribute }}' as attribute, {{ column }} as value, 'stated' as origin, trust_place, 1 as validity_place,
        source_system, source_table, role, is_withdrawn, {{ repairs.get(attribute, 'false') }} as is_repaired, record_count, said_on, source_record_id, seen_from, seen_to
    from {{ relation }}
    where {{ column }} is not null

    union all
    {% endfor %}

    select
        citizen_id, 'birth_date', {{ date_text('birth_date', 'birth_date_precision') }}, 'stated', trust_place,
        case birth_date_precision when 'month' then 2 when 'year' then 3 else 1 end,
        source_system, source_table, role, is_withdrawn, false, record_count, said_on, source_record_id, seen_from, seen_to
    from {{ relation }}
    where birth_date is not null

    union all

    select
        citizen_id, 'birth_date', substr(id_no, 7, 4) || '-' || substr(id_no, 11, 2) || '-' || substr(id_no, 13, 2),
        'identity_number', case when has_own_number then 0 else 4 end, 1,
        source_system, source_table, role, is_withdrawn, false, record_count, said_on, source_record_id, seen_from, seen_to
    from {{ relation }}
    where id_no is not null

    union all

    select
        citizen_id, 'sex', case when substr(id_no, 17, 1) in ('1', '3', '5', '7', '9') then 'male' else 'female' end,
        'identity_number', case when has_own_number then 0 else 4 end, 1,
        source_system, source_table, role, is_withdrawn, false, record_count, said_on, source_record_id, seen_from, seen_to
    from {{ relation }}
    where id_no is not null
{%- endmacro %}
