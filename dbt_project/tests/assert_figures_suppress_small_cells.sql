-- A suppressed cell holds no value, and no count of persons, households, acts or leads under the floor is shown.
select *
from {{ ref('kpi_monthly') }}
where (is_suppressed and value is not null)
    or (unit in ('persons', 'households', 'acts', 'leads') and value < {{ parameter('suppression_floor') }})
