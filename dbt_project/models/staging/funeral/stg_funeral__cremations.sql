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

),

split as (

    select
        folded.*,
        {{ split_partial_date('folded_death_date') }} as death_date_parts,
        {{ split_partial_date('folded_cremation_date') }} as cremation_date_parts
    from folded

)

select
    split.*,
    split._source_record_id as source_record_id,
    split._delivery_id as delivery_id,
    split.status = 'void' as is_void,
    {{ close_partial_date('death_date_parts') }} as partial_death_date,
    {{ close_partial_date('cremation_date_parts') }} as partial_cremation_date,
    {{ read_amount('cast(split.fee_relief as varchar)') }} as fee_relief_yuan
from split
