{# First day of the month of a date. #}
{% macro month_of(date) -%} cast({{ dbt.date_trunc('month', date) }} as date) {%- endmacro %}


{# Last day of the month of a date. #}
{% macro month_end(date) -%}
    cast({{ dbt.dateadd('day', -1, dbt.dateadd('month', 1, dbt.date_trunc('month', date))) }} as date)
{%- endmacro %}


{# Monday of the ISO week of a date. #}
{% macro week_of(date) -%} cast({{ dbt.date_trunc('week', date) }} as date) {%- endmacro %}


{# A date moved by whole months, days or years (negative: back). #}
{% macro moved(date, part, number) -%} cast({{ dbt.dateadd(part, number, date) }} as date) {%- endmacro %}


{# After every date that a record can carry: stands for "still going on" inside comparisons. #}
{% macro far_future() -%} cast('9999-12-31' as date) {%- endmacro %}


{# Before every date that a record can carry: stands for "nobody knows since when" inside comparisons. #}
{% macro far_past() -%} cast('0001-01-01' as date) {%- endmacro %}


{# One row per month: `month_start`, from the month of one date to the month of another, as a table expression. #}
{% macro months_between(first, last) -%} {{ return(adapter.dispatch('months_between')(first, last)) }} {%- endmacro %}

{% macro duckdb__months_between(first, last) -%}
    (select cast(unnest(generate_series(date_trunc('month', {{ first }}), date_trunc('month', {{ last }}), interval 1 month)) as date) as month_start)
{%- endmacro %}


{# One row per ISO week: its Monday as `week_start`, from the week of one date to the week of another. #}
{% macro weeks_between(first, last) -%} {{ return(adapter.dispatch('weeks_between')(first, last)) }} {%- endmacro %}

{% macro duckdb__weeks_between(first, last) -%}
    (select cast(unnest(generate_series(date_trunc('week', {{ first }}), date_trunc('week', {{ last }}), interval 7 day)) as date) as week_start)
{%- endmacro %}


{# The whole numbers 0 … n-1 of a row's count n, one output row each (in a select list). #}
{% macro each_number_below(count) -%} {{ return(adapter.dispatch('each_number_below')(count)) }} {%- endmacro %}

{% macro duckdb__each_number_below(count) -%} unnest(range(cast({{ count }} as bigint))) {%- endmacro %}


{# A date as text, only as exact as it is known: 1940-03-05, 1940-03 or 1940. #}
{% macro date_text(date, precision) -%}
    substr(cast({{ date }} as varchar), 1, case {{ precision }} when 'year' then 4 when 'month' then 7 else 10 end)
{%- endmacro %}


{# The date inside such a text: its first possible day; null when the text is no date. #}
{% macro text_date(text) -%} {{ return(adapter.dispatch('text_date')(text)) }} {%- endmacro %}

{% macro duckdb__text_date(text) -%} try_cast({{ text }} || substr('0000-01-01', length({{ text }}) + 1) as date) {%- endmacro %}
