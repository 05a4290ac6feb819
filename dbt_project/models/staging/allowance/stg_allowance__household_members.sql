-- One row per member of an assisted household and month; the head is a member too.
with members as (

    select
        household_key,
        household_month,
        managing_district,
        'allowance/member/' || source_record_id || '/member' as mention_key,
        relation,
        insured as is_insured,
        'allowance' as source_system,
        'member' as source_table,
        source_record_id
    from {{ ref('stg_allowance__members') }}

)

select {{ shape_columns('household_members') }}
from members
