-- One row per assisted household and month, as its district reported it.
{{ config(materialized='view') }}

select
    households.*,
    households._source_record_id as source_record_id,
    households._delivery_id as delivery_id,
    households._district as managing_district,
    {{ date_of_month('households._month') }} as household_month,
    households._district || '/' || {{ standardise_reference_no('households.household_no') }} as household_key
from {{ source('landing', 'allowance__household') }} as households
