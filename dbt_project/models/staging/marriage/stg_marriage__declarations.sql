-- One row per party of an act that states a marital status. The status is the one before the act: it speaks of the day before.
with statements as (

    {% for role in ['man', 'woman'] %}
    select
        'marriage/registration/' || source_record_id || '/{{ role }}' as mention_key,
        'marital_status' as attribute,
        {{ fold_code('marital_' ~ role) }} as value,
        {{ dbt.dateadd('day', -1, 'act_on') }} as said_on,
        false as is_withdrawn,
        'marriage' as source_system,
        'registration' as source_table,
        source_record_id
    from {{ ref('stg_marriage__registrations') }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select {{ shape_columns('declarations') }}
from statements
where {{ has_pattern('value', '^[1-9][0-9]$') }}
