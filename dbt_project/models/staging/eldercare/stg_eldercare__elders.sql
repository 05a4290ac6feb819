-- One row per elder registered, withdrawn ones marked, with the day of the last change.
{{ config(materialized='view') }}

select
    elders.*,
    elders._source_record_id as source_record_id,
    elders._delivery_id as delivery_id,
    'eldercare/elder/' || elders._source_record_id || '/elder' as mention_key,
    cast(elders.is_deleted as integer) = 1 as is_withdrawn,
    cast({{ local_time_of('elders.updated_at') }} as date) as updated_on,
    elders.updated_at as seen_at
from {{ source('landing', 'eldercare__elder') }} as elders
