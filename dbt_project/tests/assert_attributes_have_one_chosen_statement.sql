-- No attribute of a citizen has two chosen statements.
select citizen_id, attribute
from {{ ref('citizen_attributes') }}
where is_chosen
group by citizen_id, attribute
having count(*) > 1
