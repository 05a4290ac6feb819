-- One row per stay in a bed of an institution; an open stay has no check-out.
with stays as (

    select
        'eldercare/elder/' || cast(elder_id as varchar) || '/elder' as mention_key,
        cast(institution_id as varchar) as institution_id,
        checked_in_on,
        checked_out_on,
        {{ fold_code('checkout_reason') }} as checkout_reason,
        subsidy_month_yuan,
        cast(is_deleted as integer) = 1 as is_withdrawn,
        'eldercare' as source_system,
        'bed_stay' as source_table,
        _source_record_id as source_record_id
    from {{ source('landing', 'eldercare__bed_stay') }}

)

select {{ shape_columns('bed_stays') }}
from stays
