-- One row per cremation certificate, valid or void, with the dates read as precisely as they were known.
{{ config(materialized='view') }}

with cremations as (

    select * from {{ source('landing', 'funeral__cremations') }}

),

folded as (

    select
        cremations.*,
        {{ fold_code('cast(death_date as varchar)') }} as folded_death_date,
        {{ fold_code('cast(cremation_date as varchar)') }} as folded_cremation_date
    from cremations

)

select
    folded.*,
    folded._source_record_id as source_record_id,
    folded._delivery_id as delivery_id,
    folded.status = 'void' as is_void,
    {{ read_partial_date('folded_death_date') }} as partial_death_date,
    {{ read_partial_date('folded_cremation_date') }} as partial_cremation_date,
    {{ read_amount('cast(folded.fee_relief as varchar)') }} as fee_relief_yuan
from folded
