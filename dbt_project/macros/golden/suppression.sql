{#
    Figures that add up to another: `parts` of the same district and month give `total`. A household on dibao is a
    recipient of one of the two kinds, in the month it is paid for.
#}
{% macro figures_that_add_up() -%}
    {{ return([{'total': 'dibao_households', 'parts': ['benefit_recipients.dibao_urban', 'benefit_recipients.dibao_rural']}]) }}
{%- endmacro %}


{#
    A CTE `name` over the cells of `relation` (indicator, managing_district, month, unit, persons, is_city, is_hidden) in
    which no hidden district can be had by subtracting the shown districts from the city.

    Where the city is shown and one district alone is hidden, or all hidden ones together are fewer persons than the
    floor, the smallest shown district is hidden too (by persons, then by code: the same in every run); where no other
    district is left, the city. Shares do not add up, and figures about no persons are never hidden.
#}
{% macro hidden_against_subtraction(name, relation) -%}
{{ name }}_counted as (

    select
        cells.*,
        sum(case when is_hidden and not is_city then 1 else 0 end) over cell_group as hidden_districts,
        sum(case when is_hidden and not is_city then persons else 0 end) over cell_group as hidden_persons,
        sum(case when not is_hidden and not is_city then 1 else 0 end) over cell_group as shown_districts,
        sum(case when not is_hidden and is_city then 1 else 0 end) over cell_group as shown_cities,
        row_number() over (
            partition by indicator, month, is_city, is_hidden order by persons, managing_district
        ) as place
    from {{ relation }} as cells
    window cell_group as (partition by indicator, month)

),

{{ name }} as (

    select
        indicator, managing_district, month, unit, full_value, persons, is_city,
        is_hidden or (
            unit <> 'share'
            and persons is not null
            and shown_cities > 0
            and hidden_districts > 0
            and (hidden_districts = 1 or hidden_persons < {{ parameter('suppression_floor') }})
            and (is_city = (shown_districts = 0))
            and place = 1
        ) as is_hidden
    from {{ name }}_counted

)
{%- endmacro %}


{# A CTE `name` in which a total is hidden where exactly one of its parts is: else the part were total less the other. #}
{% macro hidden_totals(name, relation) -%}
{{ name }} as (

    select
        cells.indicator, cells.managing_district, cells.month, cells.unit, cells.full_value, cells.persons, cells.is_city,
        cells.is_hidden or coalesce(parts.hidden_parts, 0) = 1 as is_hidden
    from {{ relation }} as cells
    left join (
        {% for family in figures_that_add_up() %}
        select
            '{{ family.total }}' as indicator, managing_district, month, sum(case when is_hidden then 1 else 0 end) as hidden_parts
        from {{ relation }}
        where indicator in ('{{ family.parts | join("', '") }}')
        group by managing_district, month
        {{ 'union all' if not loop.last }}
        {% endfor %}
    ) as parts
        on cells.indicator = parts.indicator and cells.managing_district = parts.managing_district and cells.month = parts.month

)
{%- endmacro %}
