-- One row per assessment, bed check-in and bed check-out of an elder.
with assessments as (

    select
        'eldercare/elder/' || cast(elder_id as varchar) || '/elder' as mention_key,
        'ability_assessment' as source_table,
        _source_record_id as source_record_id,
        cast(is_deleted as integer) = 1 as is_withdrawn,
        'assessment' as event_type,
        assessed_on as event_date,
        {{ json_object_text({
            'standard': 'standard', 'level': 'level', 'total_score': 'total_score', 'valid_until': 'valid_until'
        }) }} as attributes,
        updated_at as seen_at
    from {{ source('landing', 'eldercare__ability_assessment') }}

),

stays as (

    select
        'eldercare/elder/' || cast(elder_id as varchar) || '/elder' as mention_key,
        'bed_stay' as source_table,
        _source_record_id as source_record_id,
        cast(is_deleted as integer) = 1 as is_withdrawn,
        checked_in_on,
        checked_out_on,
        {{ json_object_text({'institution_id': 'cast(institution_id as varchar)'}) }} as check_in_attributes,
        {{ json_object_text({
            'institution_id': 'cast(institution_id as varchar)', 'checkout_reason': 'checkout_reason'
        }) }} as check_out_attributes,
        updated_at as seen_at
    from {{ source('landing', 'eldercare__bed_stay') }}

),

happened as (

    select mention_key, source_table, source_record_id, is_withdrawn, event_type, event_date, attributes, seen_at
    from assessments
    union all
    select mention_key, source_table, source_record_id, is_withdrawn, 'bed_check_in', checked_in_on, check_in_attributes, seen_at
    from stays
    union all
    select mention_key, source_table, source_record_id, is_withdrawn, 'bed_check_out', checked_out_on, check_out_attributes, seen_at
    from stays
    where checked_out_on is not null

),

events as (

    select
        happened.*,
        cast(null as varchar) as partner_mention_key,
        'eldercare' as source_system,
        case when event_date is not null then 'day' end as date_precision,
        cast(null as varchar) as certificate_no,
        cast(null as varchar) as refers_to_no,
        cast(null as varchar) as office_district,
        cast(null as varchar) as act_code
    from happened

)

select {{ shape_columns('events') }}
from events
