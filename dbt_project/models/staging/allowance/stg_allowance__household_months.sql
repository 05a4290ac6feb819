-- One row per assisted household and month.
with households as (

    select
        household_key,
        household_month,
        managing_district,
        'allowance/household/' || source_record_id || '/head' as mention_key,
        benefit,
        mode,
        insured_count,
        approved_from,
        'allowance' as source_system,
        'household' as source_table,
        source_record_id
    from {{ ref('stg_allowance__households') }}

)

select {{ shape_columns('household_months') }}
from households
