{#
    Dates as people type them, kept as precise as they were known. `read_partial_date` gives ISO text cut where knowledge
    ends: '1940-03-05', '1940-03' or '1940'; null when it is no date or no possible one. Read are 1940-03-05, 1940/3/5,
    1940.3.5, 1940年3月5日, 19400305, 1940-03, 1940.03, 1940年3月, 194003, 1940, 1940年, a time behind a full day, a day or
    month of zero (not known), and the serial numbers of spreadsheets.
#}
{% macro read_partial_date(folded) -%}
    {%- set parts = '^([0-9]{4})(?: ?[-/.年] ?([0-9]{1,2})(?: ?[-/.月] ?([0-9]{1,2}) ?[日号]?)?月?)?年?$' -%}
    {%- set run = '^([0-9]{4})([0-9]{2})([0-9]{2})?$' -%}
    {%- set day_alone = replace_pattern(folded, '[ T][0-9]{1,2}:[0-9]{2}.*$') -%}
    case
        when {{ folded }} is null then null
        when {{ has_pattern(folded, '^[0-9]{4}-[0-9]{2}-[0-9]{2}$') }} then {{ close_partial_date(folded) }}
        when {{ has_pattern(day_alone, parts) }} then {{ close_partial_date(replace_pattern(day_alone, parts, '\\1-\\2-\\3')) }}
        when {{ has_pattern(folded, run) }} then {{ close_partial_date(replace_pattern(folded, run, '\\1-\\2-\\3')) }}
        when {{ has_pattern(folded, '^[1-9][0-9]{4}([.]0*)?$') }}
            then {{ close_partial_date('cast(' ~ date_of_serial('cast(substr(' ~ folded ~ ', 1, 5) as integer)') ~ ' as varchar)') }}
    end
{%- endmacro %}


{# 'year-month-day', parts possibly empty, zero or of one digit, as ISO text; null when there is no such day. #}
{% macro close_partial_date(parts) -%}
    {%- set year = "split_part(" ~ parts ~ ", '-', 1)" -%}
    {%- set month = "nullif(lpad(split_part(" ~ parts ~ ", '-', 2), 2, '0'), '00')" -%}
    {%- set day = "nullif(lpad(split_part(" ~ parts ~ ", '-', 3), 2, '0'), '00')" -%}
    case when {{ is_plausible_day(dbt.safe_cast(year ~ " || '-' || coalesce(" ~ month ~ ", '01') || '-' || coalesce(" ~ day ~ ", '01')", api.Column.translate_type('date'))) }}
        then {{ year }} || coalesce('-' || {{ month }} || coalesce('-' || {{ day }}, ''), '') end
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
