{# The code under which a figure of the whole city stands. #}
{% macro city_code() -%} '510100' {%- endmacro %}


{#
    One figure per district and month, and one for the city, over the rows of `relation`.

    `indicator`, `district` and `month` are expressions; `value` and `persons` are aggregates (the figure, and how many
    persons stand behind it: null when the figure speaks of no persons and is never suppressed). The city counts anew
    instead of adding districts up: a person seen in two districts is one person. Rows whose district is not known count
    for the city only.
#}
{% macro figure(indicator, unit, relation, district, month, value, persons) %}
select
    indicator,
    '{{ unit }}' as unit,
    case when grouping(district) = 1 then {{ city_code() }} else district end as managing_district,
    figure_month as month,
    cast({{ value }} as double) as full_value,
    cast({{ persons }} as double) as persons
from (
    select {{ indicator }} as indicator, nullif(cast({{ district }} as varchar), {{ city_code() }}) as district, {{ month }} as figure_month, counted.*
    from {{ relation }} as counted
) as placed
where figure_month is not null
group by grouping sets ((indicator, figure_month, district), (indicator, figure_month))
having grouping(district) = 1 or district is not null
{% endmacro %}
