-- One row per member row that states a marital status.
with statements as (

    select
        'allowance/member/' || source_record_id || '/member' as mention_key,
        'marital_status' as attribute,
        marital as value,
        household_month as said_on,
        false as is_withdrawn,
        'allowance' as source_system,
        'member' as source_table,
        source_record_id
    from {{ ref('stg_allowance__members') }}
    where marital is not null

)

select {{ shape_columns('declarations') }}
from statements
