{#
    Every staging model of one shape, united. Which sources offer the shape is read from the schema `staging` when the
    model runs, so that a new source needs no line behind staging. Sources listed in the variable `shadow_sources` are
    landed and staged, and left out here: they reach nothing that is published. No model of the shape at all gives an
    empty relation with the shape's columns. A staging model whose columns differ from the shape stops the run by name.
#}
{% macro union_staged(shape) %}
    {%- set columns = staged_shapes()[shape] -%}
    {%- set shadow = var('shadow_sources', none) or [] -%}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- set room = api.Relation.create(database=target.database, schema='staging') -%}
        {%- for name in list_relations_without_caching(room).columns['name'].values() | sort -%}
            {%- set parts = name.split('__') -%}
            {%- if name.startswith('stg_') and parts | length == 2 and parts[1] == shape and parts[0][4:] not in shadow -%}
                {%- do found.append(api.Relation.create(database=target.database, schema='staging', identifier=name)) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- for relation in found -%}
            {%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
            {%- set missing = columns.keys() | reject('in', there) | list -%}
            {%- set foreign = there | reject('in', columns.keys() | list) | list -%}
            {%- if missing or foreign -%}
                {{ exceptions.raise_compiler_error(
                    relation.identifier ~ ' is not of the shape ' ~ shape ~ ': missing ' ~ (missing | join(', ') or 'nothing')
                    ~ ', not in the shape ' ~ (foreign | join(', ') or 'nothing')
                    ~ '; mend the staging model to the columns of macros/staged_shapes.sql.') }}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- for relation in found %}
select
    {%- for name, type in columns.items() %}
    cast({{ adapter.quote(name) }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ relation }}
{{ 'union all' if not loop.last }}
    {%- endfor -%}
    {%- if not found %}
select
    {%- for name, type in columns.items() %}
    cast(null as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
where 1 = 0
    {%- endif -%}
{% endmacro %}
