{# The instant of a local time without zone. #}
{% macro instant_of_local(local_time, zone) -%} {{ return(adapter.dispatch('instant_of_local')(local_time, zone)) }} {%- endmacro %}

{% macro duckdb__instant_of_local(local_time, zone) -%} ({{ local_time }} at time zone '{{ zone }}') {%- endmacro %}


{# The day a spreadsheet means by a serial number: days after 1899-12-30. #}
{% macro date_of_serial(serial) -%} {{ return(adapter.dispatch('date_of_serial')(serial)) }} {%- endmacro %}

{% macro duckdb__date_of_serial(serial) -%} (cast('1899-12-30' as date) + {{ serial }}) {%- endmacro %}
