-- One row per payment that counts and month that it covers: what a citizen or household received for that month.
{{ config(materialized='view') }}
select
    citizen_id,
    household_key,
    benefit,
    benefit_month,
    managing_district,
    amount_yuan,
    paid_on,
    source_record_id,
    source_system
from {{ ref('int_benefit_months__expanded') }}
