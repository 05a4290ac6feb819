{#
    Every record that landed is in the model, and no other: nothing is lost between landing and staging. With
    `mentions_per_record` each record also has exactly that many rows. `where` narrows the model to the records of one table.
#}
{% test conserves_records(model, source_table, mentions_per_record=none, where='1 = 1') %}
with landed as (

    select _source_record_id as source_record_id from {{ source('landing', source_table) }}

),

staged as (

    select source_record_id, count(*) as mention_count
    from {{ model }}
    where {{ where }}
    group by source_record_id

)

select landed.source_record_id as landed_record_id, staged.source_record_id as staged_record_id, staged.mention_count
from landed
full outer join staged on landed.source_record_id = staged.source_record_id
where landed.source_record_id is null or staged.source_record_id is null
    {% if mentions_per_record %}or staged.mention_count <> {{ mentions_per_record }}{% endif %}
{% endtest %}
