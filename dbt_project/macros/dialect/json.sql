{# A member of a JSON object as text, null when it is absent. #}
{% macro json_text(object, member) -%} {{ return(adapter.dispatch('json_text')(object, member)) }} {%- endmacro %}

{% macro duckdb__json_text(object, member) -%} ({{ object }} ->> '$.{{ member }}') {%- endmacro %}
