-- Every threshold that a model asks for stands in the table exactly once on the day the run speaks of.
with asked as (

    {% for name in parameter_names() %}
    select '{{ name }}' as parameter {{ 'union all' if not loop.last }}
    {% endfor %}

)

select asked.parameter, count(p.parameter) as row_count
from asked
left join {{ ref('parameters') }} as p
    on asked.parameter = p.parameter
    and p.valid_from <= {{ as_of() }}
    and (p.valid_to is null or p.valid_to >= {{ as_of() }})
group by asked.parameter
having count(p.parameter) <> 1
