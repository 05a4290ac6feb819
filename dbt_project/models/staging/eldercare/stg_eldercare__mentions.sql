-- One row per person named in an elder's registration: the elder, and the family contact where one is named.
with raw_mentions as (

    select {{ raw_mention({
        'source_system': "'eldercare'", 'source_table': "'elder'", 'source_record_id': 'source_record_id',
        'role': "'elder'", 'is_withdrawn': 'is_withdrawn',
        'raw_name': 'full_name', 'name_text': 'full_name', 'raw_id_no': 'id_card', 'id_text': 'id_card',
        'birth_text': 'birthday', 'sex_text': 'gender', 'phone_text': 'phone',
        'address_text': 'live_address', 'hukou_text': 'hukou_district', 'managing_text': 'live_district',
        'said_on': 'updated_on', 'seen_at': 'seen_at', 'delivery_id': 'delivery_id'
    }) }}
    from {{ ref('stg_eldercare__elders') }}
    union all
    select {{ raw_mention({
        'source_system': "'eldercare'", 'source_table': "'elder'", 'source_record_id': 'source_record_id',
        'role': "'contact'", 'is_withdrawn': 'is_withdrawn',
        'raw_name': 'contact_name', 'name_text': 'contact_name', 'phone_text': 'contact_phone',
        'said_on': 'updated_on', 'seen_at': 'seen_at', 'delivery_id': 'delivery_id'
    }) }}
    from {{ ref('stg_eldercare__elders') }}
    where {{ names_somebody('contact_name') }}

),

{{ standardise_mentions('raw_mentions') }}

select {{ shape_columns('mentions') }}
from standardised_mentions
