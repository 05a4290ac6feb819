-- No attribute of a citizen has two chosen statements.
--
-- Attribute by attribute: grouping all at once takes a third longer. Of a new name, they are grouped together.
{% set attributes = survivorship().keys() | list + ['marital_status', 'death_date'] %}
{% for attribute in attributes %}
select citizen_id, attribute
from {{ ref('citizen_attributes') }}
where is_chosen and attribute = '{{ attribute }}'
group by citizen_id, attribute
having count(*) > 1

union all
{% endfor %}

select citizen_id, attribute
from {{ ref('citizen_attributes') }}
where is_chosen and attribute not in ('{{ attributes | join("', '") }}')
group by citizen_id, attribute
having count(*) > 1
