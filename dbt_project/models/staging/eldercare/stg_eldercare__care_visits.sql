-- One row per care visit.
with visits as (

    select
        'eldercare/elder/' || cast(elder_id as varchar) || '/elder' as mention_key,
        visited_on,
        {{ fold_code('kind') }} as kind,
        subsidy_yuan,
        {{ local_time_of('entered_at') }} as entered_at,
        cast(is_deleted as integer) = 1 as is_withdrawn,
        'eldercare' as source_system,
        'care_visit' as source_table,
        _source_record_id as source_record_id
    from {{ source('landing', 'eldercare__care_visit') }}

)

select {{ shape_columns('care_visits') }}
from visits
