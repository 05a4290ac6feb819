{#
    Dates as people type them, kept as precise as they were known, as ISO text cut where knowledge ends: '1940-03-05',
    '1940-03' or '1940'; null when it is no date or no possible one. Read are 1940-03-05, 1940/3/5, 1940.3.5, 1940年3月5日,
    19400305, 1940-03, 1940.03, 1940年3月, 194003, 1940, 1940年, a time behind a full day, a day or month of zero (not known),
    and the serial numbers of spreadsheets. Two steps, so that no expression is written out many times:
    `split_partial_date` takes the folded text apart, `close_partial_date` judges the parts.
#}
{% macro split_partial_date(folded) -%}
    {%- set parts = '^([0-9]{4})(?: ?[-/.年] ?([0-9]{1,2})(?: ?[-/.月] ?([0-9]{1,2}) ?[日号]?)?月?)?年?(?:[ T][0-9]{1,2}:[0-9]{2}.*)?$' -%}
    case
        when {{ folded }} is null then null
        when {{ has_pattern(folded, '^[0-9]{4}-[0-9]{2}-[0-9]{2}$') }} then {{ folded }}
        when {{ has_pattern(folded, '^[0-9]{6}([0-9]{2})?$') }}
            then substr({{ folded }}, 1, 4) || '-' || substr({{ folded }}, 5, 2) || '-' || substr({{ folded }}, 7, 2)
        when {{ has_pattern(folded, '^[1-9][0-9]{4}([.]0*)?$') }}
            then cast({{ date_of_serial('cast(substr(' ~ folded ~ ', 1, 5) as integer)') }} as varchar)
        when {{ has_pattern(folded, parts) }} then {{ replace_pattern(folded, parts, '\\1-\\2-\\3') }}
    end
{%- endmacro %}


{# 'year-month-day', parts possibly empty, zero or of one digit, as ISO text; null when there is no such day. #}
{% macro close_partial_date(parts) -%}
    {%- set year = "split_part(" ~ parts ~ ", '-', 1)" -%}
    {%- set month = "nullif(lpad(split_part(" ~ parts ~ ", '-', 2), 2, '0'), '00')" -%}
    {%- set day = "nullif(lpad(split_part(" ~ parts ~ ", '-', 3), 2, '0'), '00')" -%}
    case
        when {{ parts }} is null then null
        when length({{ parts }}) = 10 and {{ is_plausible_day(cast_or_null(parts, 'date')) }} then {{ parts }}
        when {{ is_plausible_day(cast_or_null(year ~ " || '-' || coalesce(" ~ month ~ ", '01') || '-' || coalesce(" ~ day ~ ", '01')", 'date')) }}
            then {{ year }} || coalesce('-' || {{ month }} || coalesce('-' || {{ day }}, ''), '')
    end
{%- endmacro %}


{# First day that a partial date may mean. #}
{% macro date_of_partial(partial) -%}
    cast({{ partial }} || case length({{ partial }}) when 4 then '-01-01' when 7 then '-01' else '' end as date)
{%- endmacro %}


{# day, month or year. #}
{% macro precision_of_partial(partial) -%}
    case length({{ partial }}) when 4 then 'year' when 7 then 'month' when 10 then 'day' end
{%- endmacro %}


{# First day of a month written yyyymm. #}
{% macro date_of_month(yyyymm) -%} cast(substr({{ yyyymm }}, 1, 4) || '-' || substr({{ yyyymm }}, 5, 2) || '-01' as date) {%- endmacro %}


{# First day of the month that a date lies in. #}
{% macro first_of_month(date) -%} cast({{ dbt.date_trunc('month', date) }} as date) {%- endmacro %}
