{# What the clocks of a zone showed at an instant, as a time without zone: the day of an instant depends on where one is. #}
{% macro local_time_of(instant, zone='Asia/Shanghai') -%} {{ return(adapter.dispatch('local_time_of')(instant, zone)) }} {%- endmacro %}

{% macro duckdb__local_time_of(instant, zone) -%} ({{ instant }} at time zone '{{ zone }}') {%- endmacro %}


{# The day a spreadsheet means by a serial number: days after 1899-12-30. #}
{% macro date_of_serial(serial) -%} {{ return(adapter.dispatch('date_of_serial')(serial)) }} {%- endmacro %}

{% macro duckdb__date_of_serial(serial) -%} (cast('1899-12-30' as date) + {{ serial }}) {%- endmacro %}
