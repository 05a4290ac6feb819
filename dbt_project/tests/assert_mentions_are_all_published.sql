-- Every mention that staging hands over is in citizen_mentions exactly once.
--
-- Keys of mentions are unique (identity refuses repeated ones), so a mention can only be missing or be repeated by its link:
-- both change how many there are of its table, role and delivery.
select coalesce(m.source_table, c.source_table) as source_table
from (
    select source_system, source_table, role, coalesce(delivery_id, '') as delivery_id, count(*) as mention_count
    from {{ ref('int_mentions__unioned') }}
    group by source_system, source_table, role, coalesce(delivery_id, '')
) as m
full join (
    select source_system, source_table, role, coalesce(delivery_id, '') as delivery_id, count(*) as mention_count
    from {{ ref('citizen_mentions') }}
    group by source_system, source_table, role, coalesce(delivery_id, '')
) as c
    on m.source_system = c.source_system and m.source_table = c.source_table and m.role = c.role
    and m.delivery_id = c.delivery_id
where coalesce(m.mention_count, 0) <> coalesce(c.mention_count, 0)
