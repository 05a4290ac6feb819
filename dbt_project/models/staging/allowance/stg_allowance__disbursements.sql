-- One row per payment in its latest delivery. The household is empty where the benefit belongs to a person.
{{ config(materialized='view') }}

select
    payments.*,
    payments._source_record_id as source_record_id,
    payments._delivery_id as delivery_id,
    payments._district as managing_district,
    {{ date_of_month('payments._month') }} as delivered_month,
    payments._district || '/' || {{ standardise_reference_no('payments.household_no') }} as household_key
from {{ source('landing', 'allowance__payment') }} as payments
