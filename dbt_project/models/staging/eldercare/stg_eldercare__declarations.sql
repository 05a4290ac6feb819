-- One row per record that hints at a death: an elder's status, or the reason of a check-out. A hint is no death.
with hints as (

    select
        mention_key,
        'life_status_hint' as attribute,
        'deceased' as value,
        updated_on as said_on,
        is_withdrawn,
        'eldercare' as source_system,
        'elder' as source_table,
        source_record_id
    from {{ ref('stg_eldercare__elders') }}
    where lower({{ fold_code('status') }}) = 'deceased'
    union all
    select
        mention_key,
        'life_status_hint',
        'deceased',
        checked_out_on,
        is_withdrawn,
        source_system,
        source_table,
        source_record_id
    from {{ ref('stg_eldercare__bed_stays') }}
    where lower(checkout_reason) = 'deceased'

)

select {{ shape_columns('declarations') }}
from hints
