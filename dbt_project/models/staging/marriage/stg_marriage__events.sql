-- One row per party and registration act: marriage, divorce, re-issued certificate, annulment.
with parties as (

    {% for role, partner in [('man', 'woman'), ('woman', 'man')] %}
    select
        'marriage/registration/' || source_record_id || '/{{ role }}' as mention_key,
        'marriage/registration/' || source_record_id || '/{{ partner }}' as partner_mention_key,
        registrations.*
    from {{ ref('stg_marriage__registrations') }} as registrations
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

acts as (

    select
        mention_key,
        partner_mention_key,
        'marriage' as source_system,
        'registration' as source_table,
        source_record_id,
        false as is_withdrawn,
        case act_code
            when 'IA' then 'marriage'
            when 'IB' then 'divorce'
            when 'ICA' then 'certificate_reissue'
            when 'ICB' then 'certificate_reissue'
            when 'IX' then 'annulment'
        end as event_type,
        act_on as event_date,
        case when act_on is not null then 'day' end as date_precision,
        certificate_no,
        refers_to_no,
        office_district,
        act_code,
        {{ json_object_text({'act_code': 'act_code', 'office_district': 'office_district'}) }} as attributes,
        updated_at as seen_at
    from parties

)

select {{ shape_columns('events') }}
from acts
