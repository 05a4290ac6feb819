-- One row per person named in a district's files: head of a household row, member of a member row, payee of a payment.
with raw_mentions as (

    select {{ raw_mention({
        'source_system': "'allowance'", 'source_table': "'household'", 'source_record_id': 'source_record_id',
        'role': "'head'", 'is_withdrawn': 'false',
        'raw_name': 'raw_head_name', 'name_text': 'head_name',
        'raw_id_no': 'raw_head_id_no', 'id_text': 'head_id_no',
        'phone_text': 'phone', 'address_text': 'address',
        'managing_text': 'managing_district', 'household_key': 'household_key',
        'said_on': 'household_month', 'seen_at': '_landed_at', 'delivery_id': 'delivery_id'
    }) }}
    from {{ ref('stg_allowance__households') }}
    union all
    select {{ raw_mention({
        'source_system': "'allowance'", 'source_table': "'member'", 'source_record_id': 'source_record_id',
        'role': "'member'", 'is_withdrawn': 'false',
        'raw_name': 'raw_name', 'name_text': 'name',
        'raw_id_no': 'raw_id_no', 'id_text': 'id_no', 'certificate_text': 'disability_cert_no',
        'managing_text': 'managing_district', 'household_key': 'household_key',
        'said_on': 'household_month', 'seen_at': '_landed_at', 'delivery_id': 'delivery_id'
    }) }}
    from {{ ref('stg_allowance__members') }}
    union all
    select {{ raw_mention({
        'source_system': "'allowance'", 'source_table': "'payment'", 'source_record_id': 'source_record_id',
        'role': "'payee'", 'is_withdrawn': 'false',
        'raw_name': 'raw_payee_name', 'name_text': 'payee_name',
        'raw_id_no': 'raw_payee_id_no', 'id_text': 'payee_id_no', 'account_text': 'bank_account',
        'managing_text': 'managing_district', 'household_key': 'household_key',
        'said_on': 'coalesce(paid_on, delivered_month)', 'seen_at': '_landed_at', 'delivery_id': 'delivery_id'
    }) }}
    from {{ ref('stg_allowance__disbursements') }}

),

{{ standardise_mentions('raw_mentions') }}

select {{ shape_columns('mentions') }}
from standardised_mentions
