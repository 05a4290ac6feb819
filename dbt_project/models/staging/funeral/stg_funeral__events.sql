-- One row per certificate and event: the death (its date may be unknown) and, where a date is given, the cremation.
with certificates as (

    select
        'funeral/cremations/' || source_record_id || '/deceased' as mention_key,
        cast(null as varchar) as partner_mention_key,
        'funeral' as source_system,
        'cremations' as source_table,
        source_record_id,
        is_void as is_withdrawn,
        partial_death_date,
        partial_cremation_date,
        cast(null as varchar) as certificate_no,
        cast(null as varchar) as refers_to_no,
        cast(null as varchar) as office_district,
        cast(null as varchar) as act_code,
        {{ json_object_text({
            'facility_code': 'facility_code', 'death_certificate_kind': 'death_cert_kind',
            'fee_relief_yuan': 'fee_relief_yuan', 'is_green_burial': 'green_burial'
        }) }} as attributes,
        updated_at as seen_at
    from {{ ref('stg_funeral__cremations') }}

),

deaths_and_cremations as (

    select certificates.*, 'death' as event_type, partial_death_date as partial_date
    from certificates
    union all
    select certificates.*, 'cremation', partial_cremation_date
    from certificates
    where partial_cremation_date is not null

),

dated as (

    select
        deaths_and_cremations.*,
        {{ date_of_partial('partial_date') }} as event_date,
        {{ precision_of_partial('partial_date') }} as date_precision
    from deaths_and_cremations

)

select {{ shape_columns('events') }}
from dated
