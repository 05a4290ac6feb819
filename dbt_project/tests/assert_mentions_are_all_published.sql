-- Every mention that staging hands over is in citizen_mentions exactly once.
select m.mention_key
from {{ ref('int_mentions__unioned') }} as m
left join (
    select source_system, source_table, source_record_id, role, count(*) as row_count
    from {{ ref('citizen_mentions') }}
    group by source_system, source_table, source_record_id, role
) as c
    on m.source_system = c.source_system and m.source_table = c.source_table
    and m.source_record_id = c.source_record_id and m.role = c.role
where coalesce(c.row_count, 0) <> 1
