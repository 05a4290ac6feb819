{# The code under which a figure of the whole city stands. #}
{% macro city_code() -%} '510100' {%- endmacro %}


{#
    Aggregates of the rows of `relation` per district and month, and for the city.

    `by` are more columns to group by; `district` and `month` are expressions; `values` name aggregates. The city counts
    anew instead of adding districts up: a person seen in two districts is one person. Rows whose district is not known
    count for the city only.
#}
{% macro by_district(relation, by, district, month, values) %}
{%- set keys = by | join(', ') %}
select
    {{ keys }},
    case when grouping(district) = 1 then {{ city_code() }} else district end as managing_district,
    figure_month as month
    {%- for name, value in values.items() %},
    cast({{ value }} as double) as {{ name }}
    {%- endfor %}
from (
    select nullif(cast({{ district }} as varchar), {{ city_code() }}) as district, {{ month }} as figure_month, counted.*
    from {{ relation }} as counted
) as placed
where figure_month is not null
group by grouping sets (({{ keys }}, figure_month, district), ({{ keys }}, figure_month))
having grouping(district) = 1 or district is not null
{% endmacro %}


{#
    One figure per district and month, and one for the city, over the rows of `relation`.

    `indicator` is an expression; `value` and `persons` are aggregates (the figure, and how many persons stand behind it:
    null when the figure speaks of no persons and is never suppressed).
#}
{% macro figure(indicator, unit, relation, district, month, value, persons) %}
select indicator, '{{ unit }}' as unit, managing_district, month, full_value, persons
from (
    {{ by_district('(select ' ~ indicator ~ ' as indicator, named.* from ' ~ relation ~ ' as named)', ['indicator'], district, month, {
        'full_value': value, 'persons': persons
    }) }}
) as figures
{% endmacro %}
