-- One row per form that a text may take: an invented source whose staging gives every field of a raw mention.
with raw_mentions as (

    select {{ raw_mention({
        'source_system': "'forms'", 'source_table': "'form'", 'source_record_id': '_source_record_id', 'role': "'person'",
        'is_withdrawn': 'false', 'raw_name': 'name', 'name_text': 'name', 'raw_id_no': 'id_no', 'id_text': 'id_no',
        'document_type': 'document_type', 'certificate_text': 'certificate', 'birth_text': 'birth', 'sex_text': 'sex',
        'phone_text': 'phone', 'address_text': 'address', 'hukou_text': 'hukou', 'hukou_address_text': 'hukou_address',
        'managing_text': 'managing', 'account_text': 'account'
    }) }}
    from {{ source('landing', 'forms__form') }}

),

{{ standardise_mentions('raw_mentions') }}

select {{ shape_columns('mentions') }}
from standardised_mentions
