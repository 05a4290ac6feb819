{#
    One way to standardise whoever a record names. A source's model `stg_<source>__mentions` writes a CTE of raw mentions,
    one branch `select {{ raw_mention({...}) }} from …` per role, then this macro, then the select of the shape:

        with raw_mentions as (...),
        {{ standardise_mentions('raw_mentions') }}
        select {{ shape_columns('mentions') }} from standardised_mentions

    What a source says as delivered (raw_name, raw_id_no) stays beside what is compared. A name or an address in which a
    private-use leftover was repaired says so.
#}

{# The fields that a source may give for a mention, with their types; a field that is not given is null. #}
{% macro raw_mention_fields() -%}
    {{ return({
        'source_system': 'varchar', 'source_table': 'varchar', 'source_record_id': 'varchar', 'role': 'varchar',
        'is_withdrawn': 'boolean',
        'raw_name': 'varchar', 'name_text': 'varchar', 'raw_id_no': 'varchar', 'id_text': 'varchar',
        'document_type': 'varchar', 'certificate_text': 'varchar', 'birth_text': 'varchar', 'sex_text': 'varchar',
        'phone_text': 'varchar', 'address_text': 'varchar', 'hukou_text': 'varchar', 'hukou_address_text': 'varchar',
        'managing_text': 'varchar', 'account_text': 'varchar', 'household_key': 'varchar',
        'said_on': 'date', 'seen_at': 'timestamptz', 'delivery_id': 'varchar'
    }) }}
{%- endmacro %}


{# The select list of one role: a mapping of fields to expressions over the source's columns. #}
{% macro raw_mention(given) -%}
    {%- set fields = raw_mention_fields() -%}
    {%- for field in given if field not in fields -%}
        {{ exceptions.raise_compiler_error(field ~ ' is no field of a raw mention; the fields are ' ~ fields.keys() | join(', ') ~ '.') }}
    {%- endfor -%}
    {%- for field, type in fields.items() %}
        cast({{ given.get(field, 'null') }} as {{ type }}) as {{ field }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{% macro standardise_mentions(relation) -%}
mentions_folded as (

    {{ fold_texts(relation, {
        'folded_name': 'name_text', 'folded_id': 'id_text', 'folded_certificate': 'certificate_text',
        'folded_birth': 'birth_text', 'folded_sex': 'sex_text', 'folded_phone': 'phone_text',
        'folded_address': 'address_text', 'folded_hukou': 'hukou_text', 'folded_hukou_address': 'hukou_address_text',
        'folded_managing': 'managing_text', 'folded_account': 'account_text', 'folded_document_type': 'document_type'
    }) }}

),

mentions_compacted as (

    select
        mentions_folded.*,
        {{ standardise_name('folded_name') }} as whole_name,
        {{ compact_document_no('folded_id') }} as document_no,
        substr({{ compact_document_no('folded_certificate') }}, 1, 18) as certificate_document,
        cast(null as varchar) as certificate_type,
        {{ split_partial_date('folded_birth') }} as birth_parts
    from mentions_folded

),

{{ judge_identity_numbers('mentions_compacted', 'document_no', 'folded_document_type', 'id') }},

{{ judge_identity_numbers('mentions_compacted_id', 'certificate_document', 'certificate_type', 'certificate') }},

mentions_placed as (

    -- The hukou district is the code where one is typed, else the Chengdu district that the field or the address names.
    select
        mentions.*,
        {{ close_partial_date('mentions.birth_parts') }} as partial_birth,
        coalesce(
            {{ current_district(district_code('mentions.folded_hukou'), 'hukou_retired') }},
            hukou_named.district,
            address_named.district
        ) as hukou_district,
        {{ current_district(district_code('mentions.folded_managing'), 'managing_retired') }} as managing_district
    from mentions_compacted_id_certificate as mentions
    left join {{ ref('retired_areas') }} as hukou_retired
        on {{ district_code('mentions.folded_hukou') }} = hukou_retired.retired_area
    left join {{ ref('retired_areas') }} as managing_retired
        on {{ district_code('mentions.folded_managing') }} = managing_retired.retired_area
    left join {{ ref('district_names') }} as hukou_named
        on {{ named_district('mentions.folded_hukou') }} = hukou_named.district_name
    left join {{ ref('district_names') }} as address_named
        on {{ named_district('mentions.folded_hukou_address') }} = address_named.district_name

),

standardised_mentions as (

    select
        source_system || '/' || source_table || '/' || source_record_id || '/' || role as mention_key,
        source_system || '/' || source_table || '/' || source_record_id as record_key,
        source_system, source_table, source_record_id, role,
        coalesce(is_withdrawn, false) as is_withdrawn,
        raw_name,
        {{ linkable_name('whole_name') }} as name,
        {{ has_repaired_character('name_text') }} as is_name_repaired,
        raw_id_no,
        id_no,
        id_status as id_no_status,
        id_damaged as damaged_id_no,
        id_other as other_document_no,
        certificate_no as certificate_id_no,
        {{ date_of_partial('partial_birth') }} as birth_date,
        {{ precision_of_partial('partial_birth') }} as birth_date_precision,
        {{ standardise_sex('folded_sex') }} as sex,
        {{ list_phones('folded_phone') }} as phones,
        {{ standardise_address('folded_address') }} as address,
        {{ has_repaired_character('address_text') }} as is_address_repaired,
        hukou_district,
        managing_district,
        {{ standardise_account('folded_account') }} as bank_account,
        household_key,
        said_on,
        seen_at,
        delivery_id
    from mentions_placed

)
{%- endmacro %}


{# A division's code of today: the successor where the code is retired. `retired` is a joined row of retired_areas. #}
{% macro current_district(code, retired) -%} coalesce({{ retired }}.district, {{ code }}) {%- endmacro %}


{# True when a record names somebody: a name or a document stands there. A telephone alone names nobody. #}
{% macro names_somebody(name_text, id_text='null') -%}
    ({{ has_visible_text(name_text) }} or {{ has_visible_text('cast(' ~ id_text ~ ' as varchar)') }})
{%- endmacro %}
