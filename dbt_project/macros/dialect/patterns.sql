{#
    Regular expressions. Patterns are written in the part of the syntax that RE2, PostgreSQL, Java and Python share, with
    the two classes \p{Han} and \p{L}; an engine that lacks them is given its own version here.
#}

{# True when the pattern is found anywhere in the text. #}
{% macro has_pattern(text, pattern) -%} {{ return(adapter.dispatch('has_pattern')(text, pattern)) }} {%- endmacro %}

{% macro duckdb__has_pattern(text, pattern) -%} regexp_matches({{ text }}, '{{ pattern }}') {%- endmacro %}


{# The text with every occurrence of the pattern replaced; \1 … stand for the groups. #}
{% macro replace_pattern(text, pattern, by='') -%} {{ return(adapter.dispatch('replace_pattern')(text, pattern, by)) }} {%- endmacro %}

{% macro duckdb__replace_pattern(text, pattern, by='') -%} regexp_replace({{ text }}, '{{ pattern }}', '{{ by }}', 'g') {%- endmacro %}


{# One group of the first occurrence; empty text when the pattern is not found. #}
{% macro extract_pattern(text, pattern, group=0) -%} {{ return(adapter.dispatch('extract_pattern')(text, pattern, group)) }} {%- endmacro %}

{% macro duckdb__extract_pattern(text, pattern, group=0) -%} regexp_extract({{ text }}, '{{ pattern }}', {{ group }}) {%- endmacro %}
