{# The source record a row stands for, as a structure; `alias` carries source_system, source_table, source_record_id. #}
{% macro record_of(alias) -%} {{ return(adapter.dispatch('record_of')(alias)) }} {%- endmacro %}

{% macro duckdb__record_of(alias) -%}
    struct_pack(source_system := {{ alias }}.source_system, source_table := {{ alias }}.source_table, source_record_id := {{ alias }}.source_record_id)
{%- endmacro %}


{# A list of source records: the evidence of one case. Empty places (an outer join without a partner) fall out later. #}
{% macro evidence_of(aliases) -%} {{ return(adapter.dispatch('evidence_of')(aliases)) }} {%- endmacro %}

{% macro duckdb__evidence_of(aliases) -%}
    [{% for alias in aliases %}{{ record_of(alias) }}{{ ', ' if not loop.last }}{% endfor %}]
{%- endmacro %}


{# All lists of a group as one sorted list without repetitions and without empty places: the evidence of one lead. #}
{% macro gathered_evidence(column) -%} {{ return(adapter.dispatch('gathered_evidence')(column)) }} {%- endmacro %}

{% macro duckdb__gathered_evidence(column) -%}
    list_sort(list_distinct(list_filter(flatten(list({{ column }})), lambda e: e.source_record_id is not null)))
{%- endmacro %}


{# All records of a group as one sorted list without repetitions. #}
{% macro gathered_records(alias) -%} {{ return(adapter.dispatch('gathered_records')(alias)) }} {%- endmacro %}

{% macro duckdb__gathered_records(alias) -%}
    list_sort(list_distinct(list({{ record_of(alias) }})))
{%- endmacro %}


{# A structured value as JSON text of the JSON type. #}
{% macro as_json(expression) -%} {{ return(adapter.dispatch('as_json')(expression)) }} {%- endmacro %}

{% macro duckdb__as_json(expression) -%} to_json({{ expression }}) {%- endmacro %}
