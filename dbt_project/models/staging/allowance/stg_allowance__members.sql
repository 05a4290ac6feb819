-- One row per member of an assisted household and month, as its district reported it.
{{ config(materialized='view') }}

select
    members.*,
    members._source_record_id as source_record_id,
    members._delivery_id as delivery_id,
    members._district as managing_district,
    {{ date_of_month('members._month') }} as household_month,
    members._district || '/' || {{ standardise_reference_no('members.household_no') }} as household_key
from {{ source('landing', 'allowance__member') }} as members
