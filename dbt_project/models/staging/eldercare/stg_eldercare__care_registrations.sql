-- One row per elder registered: where the elder is cared for and whether weekly visits are due.
with registrations as (

    select
        elders.mention_key,
        mentions.managing_district,
        mentions.hukou_district,
        coalesce(cast(elders.key_target as integer) = 1, false) as is_key_target,
        cast(elders.living_alone as integer) = 1 as is_living_alone,
        lower({{ fold_code('elders.status') }}) as status,
        elders.is_withdrawn,
        'eldercare' as source_system,
        'elder' as source_table,
        elders.source_record_id
    from {{ ref('stg_eldercare__elders') }} as elders
    left join {{ ref('stg_eldercare__mentions') }} as mentions on elders.mention_key = mentions.mention_key

)

select {{ shape_columns('care_registrations') }}
from registrations
