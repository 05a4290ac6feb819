-- One row per assisted household and month.
{{ config(materialized='view') }}
select
    household_key,
    household_month,
    head_citizen_id,
    managing_district,
    benefit,
    mode,
    insured_count,
    approved_from,
    source_system,
    source_record_id
from {{ ref('int_household_heads__chosen') }}
