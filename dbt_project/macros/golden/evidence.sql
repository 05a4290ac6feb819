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


{# The text in the row of a group with the latest date (no date: before all dates), the text that sorts last among equals. #}
{% macro last_of(column, date) -%} {{ return(adapter.dispatch('last_of')(column, date)) }} {%- endmacro %}

{% macro default__last_of(column, date) -%}
    substr(max(coalesce(cast({{ date }} as varchar), '0000-00-00') || {{ column }}), 11)
{%- endmacro %}

{# No text is made for every row: a whole city is folded in an eighth less of the processor's time. #}
{% macro duckdb__last_of(column, date) -%}
    arg_max({{ column }}, struct_pack(said := coalesce({{ date }}, {{ far_past() }}), record := {{ column }}))
{%- endmacro %}


{# One output row per element of a list (in a select list). #}
{% macro each_element(column) -%} {{ return(adapter.dispatch('each_element')(column)) }} {%- endmacro %}

{% macro duckdb__each_element(column) -%} unnest({{ column }}) {%- endmacro %}


{# The first element of a list. #}
{% macro first_element(column) -%} {{ return(adapter.dispatch('first_element')(column)) }} {%- endmacro %}

{% macro duckdb__first_element(column) -%} {{ column }}[1] {%- endmacro %}


{# How many elements a list has. #}
{% macro element_count(column) -%} {{ return(adapter.dispatch('element_count')(column)) }} {%- endmacro %}

{% macro duckdb__element_count(column) -%} len({{ column }}) {%- endmacro %}


{# The smallest of several expressions, empty ones left out. #}
{% macro least_of(expressions) -%} {{ return(adapter.dispatch('least_of')(expressions)) }} {%- endmacro %}

{% macro duckdb__least_of(expressions) -%} least({{ expressions | join(', ') }}) {%- endmacro %}


{# The largest of several expressions, empty ones left out. #}
{% macro greatest_of(expressions) -%} {{ return(adapter.dispatch('greatest_of')(expressions)) }} {%- endmacro %}

{% macro duckdb__greatest_of(expressions) -%} greatest({{ expressions | join(', ') }}) {%- endmacro %}


{# The distinct values of a group for which a condition holds, as a sorted list (empty, never null). #}
{% macro sorted_distinct(column, condition) -%} {{ return(adapter.dispatch('sorted_distinct')(column, condition)) }} {%- endmacro %}

{% macro duckdb__sorted_distinct(column, condition) -%}
    coalesce(list_sort(list(distinct {{ column }}) filter (where {{ condition }})), [])
{%- endmacro %}


{# A list of one value where a condition holds, else an empty list. #}
{% macro one_or_none(column, condition) -%} {{ return(adapter.dispatch('one_or_none')(column, condition)) }} {%- endmacro %}

{% macro duckdb__one_or_none(column, condition) -%} case when {{ condition }} then [{{ column }}] else [] end {%- endmacro %}


{# A list of source records and some more of them. #}
{% macro with_records(column, aliases) -%} {{ return(adapter.dispatch('with_records')(column, aliases)) }} {%- endmacro %}

{% macro duckdb__with_records(column, aliases) -%} list_concat({{ column }}, {{ evidence_of(aliases) }}) {%- endmacro %}


{# Two lists of source records as one. #}
{% macro joined_evidence(left, right) -%} {{ return(adapter.dispatch('joined_evidence')(left, right)) }} {%- endmacro %}

{% macro duckdb__joined_evidence(left, right) -%} list_concat({{ left }}, {{ right }}) {%- endmacro %}


{# One output row per source record inside a lead's evidence as JSON, as a structure (in a select list). #}
{% macro each_record_of(column) -%} {{ return(adapter.dispatch('each_record_of')(column)) }} {%- endmacro %}

{% macro duckdb__each_record_of(column) -%}
    unnest(from_json({{ column }}, '[{"source_system": "VARCHAR", "source_table": "VARCHAR", "source_record_id": "VARCHAR"}]'))
{%- endmacro %}
