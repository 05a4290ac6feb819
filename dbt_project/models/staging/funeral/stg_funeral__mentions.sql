-- One row per person named in a cremation certificate: the deceased, and the handler where one is named.
with cremations as (

    select
        certificates.*,
        coalesce({{ date_of_partial('partial_cremation_date') }}, {{ date_of_partial('partial_death_date') }}) as said_on
    from {{ ref('stg_funeral__cremations') }} as certificates

),

raw_mentions as (

    select {{ raw_mention({
        'source_system': "'funeral'", 'source_table': "'cremations'", 'source_record_id': 'source_record_id',
        'role': "'deceased'", 'is_withdrawn': 'is_void',
        'raw_name': 'raw_deceased_name', 'name_text': 'deceased_name',
        'raw_id_no': 'raw_deceased_id_no', 'id_text': 'deceased_id_no', 'document_type': 'deceased_id_type',
        'birth_text': 'deceased_birth_date', 'sex_text': 'deceased_sex',
        'address_text': 'deceased_hukou_address', 'hukou_text': 'deceased_hukou_district',
        'hukou_address_text': 'deceased_hukou_address',
        'said_on': 'said_on', 'seen_at': 'updated_at', 'delivery_id': 'delivery_id'
    }) }}
    from cremations
    union all
    select {{ raw_mention({
        'source_system': "'funeral'", 'source_table': "'cremations'", 'source_record_id': 'source_record_id',
        'role': "'handler'", 'is_withdrawn': 'is_void',
        'raw_name': 'raw_handler_name', 'name_text': 'handler_name',
        'raw_id_no': 'raw_handler_id_no', 'id_text': 'handler_id_no', 'phone_text': 'handler_phone',
        'said_on': 'said_on', 'seen_at': 'updated_at', 'delivery_id': 'delivery_id'
    }) }}
    from cremations
    where {{ names_somebody('handler_name', 'handler_id_no') }}

),

{{ standardise_mentions('raw_mentions') }}

select {{ shape_columns('mentions') }}
from standardised_mentions
