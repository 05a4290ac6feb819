-- No attribute of a citizen has two chosen statements in citizen_attributes.
--
-- Asked of the tables that it unites, attribute by attribute side by side: uniting them first would group every statement of
-- the city. A citizen of one voice has one folded row, which states an attribute once; of the others the chosen
-- statements lie among those compared and those judged. Events tell attributes of their own, one each.
{% set kinds = statement_kinds() %}
{% set attributes = kinds | map(attribute='attribute') | unique | list %}
{% set stated_twice = [] %}
{% for attribute in attributes %}
{% set stated = [] %}
{% for kind in kinds if kind.attribute == attribute %}
{% do stated.append("case when " ~ kind.present ~ " is not null and " ~ takes_of_one_voice() | replace('MARK', kind.mark) ~ " then 1 else 0 end") %}
{% endfor %}
{% if stated | length > 1 %}{% do stated_twice.append(stated | join(' + ') ~ ' > 1') %}{% endif %}
{% endfor %}
with compared as (

    select
        citizen_id,
        {%- for attribute in attributes %}
        sum({% for kind in kinds if kind.attribute == attribute %}case when {{ kind.present }} is not null and {{ kind.mark }} then 1 else 0 end{{ ' + ' if not loop.last }}{% endfor %}) as {{ attribute }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_mentions__compared') }}
    group by citizen_id

),

judged as (

    select
        citizen_id,
        {%- for attribute in attributes %}
        sum(case when attribute = '{{ attribute }}' then 1 else 0 end) as {{ attribute }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_statements__judged') }}
    where is_chosen
    group by citizen_id

)

select citizen_id, 'of one voice, but stated twice in one row' as trouble
from {{ ref('int_mentions__folded') }}
where is_of_one_voice and ({{ stated_twice | join(' or ') }})

union all

select citizen_id, 'of one voice, but in several rows'
from {{ ref('int_mentions__folded') }}
group by citizen_id
having count(*) > 1 and max(case when is_of_one_voice then 1 else 0 end) = 1

union all

select coalesce(c.citizen_id, j.citizen_id), 'chosen twice among those compared and judged'
from compared as c
full join judged as j on c.citizen_id = j.citizen_id
where {% for attribute in attributes %}coalesce(c.{{ attribute }}, 0) + coalesce(j.{{ attribute }}, 0) > 1{{ ' or ' if not loop.last }}{% endfor %}

union all

select citizen_id, 'two deaths or states chosen'
from {{ ref('int_states__stated') }}
where is_chosen
group by citizen_id, attribute
having count(*) > 1
