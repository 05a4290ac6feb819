-- One row per party of a registration act: the man and the woman.
with raw_mentions as (

    {% for role in ['man', 'woman'] %}
    select {{ raw_mention({
        'source_system': "'marriage'", 'source_table': "'registration'", 'source_record_id': 'source_record_id',
        'role': "'" ~ role ~ "'", 'is_withdrawn': 'false',
        'raw_name': 'name_' ~ role, 'name_text': 'name_' ~ role,
        'raw_id_no': 'cert_num_' ~ role, 'id_text': 'cert_num_' ~ role, 'document_type': 'cert_type_' ~ role,
        'birth_text': 'birth_' ~ role, 'sex_text': "'male'" if role == 'man' else "'female'",
        'phone_text': 'phone_' ~ role, 'address_text': 'reg_addr_' ~ role, 'hukou_address_text': 'reg_addr_' ~ role,
        'said_on': 'act_on', 'seen_at': 'updated_at', 'delivery_id': 'delivery_id'
    }) }}
    from {{ ref('stg_marriage__registrations') }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

{{ standardise_mentions('raw_mentions') }}

select {{ shape_columns('mentions') }}
from standardised_mentions
