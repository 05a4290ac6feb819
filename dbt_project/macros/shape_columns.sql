{# The columns of a staged shape in their order, each cast to its declared type: the select list of a shape's model. #}
{% macro shape_columns(shape) -%}
    {%- for name, type in staged_shapes()[shape].items() %}
    cast({{ name }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
