{#
    The plausible telephone numbers of a folded text, as a sorted list of digits without repetition; null when there is
    none. Two numbers stand in one field separated by / 、 , ; or a space; a number itself may be grouped by spaces or
    hyphens. Plausible: a mobile of 11 digits that starts with 1; a landline of 7 or 8 digits, or with its area code.
    Numbers of one repeated digit are fillers and are dropped.
#}
{% macro list_phones(text) -%} {{ return(adapter.dispatch('list_phones')(text)) }} {%- endmacro %}

{% macro duckdb__list_phones(text) -%}
    {%- set mobile = '1\\d{10}|1\\d{2}[ -]\\d{4}[ -]\\d{4}' -%}
    {%- set landline = '0\\d{2,3}[ -]?\\d{7,8}|[2-9]\\d{6,7}' -%}
    {%- set country = '(?:\\+|\\b00|\\b)86[ -]?(1\\d{10}|1\\d{2}[ -]\\d{4}[ -]\\d{4}|0?\\d{2,3}[ -]?\\d{7,8})\\b' -%}
    case
        when {{ text }} is null then null
        when regexp_full_match({{ text }}, '1\d{10}')
            then case when replace({{ text }}, '1', '') <> '' then [{{ text }}] end
        else nullif(list_sort(list_distinct(list_filter(list_transform(
            regexp_extract_all(
                regexp_replace(translate({{ text }}, '()、—–−', '  ,---'), '{{ country }}', '\1', 'g'),
                '\b(?:{{ mobile }}|{{ landline }})\b'
            ),
            lambda phone: regexp_replace(phone, '[ -]', '', 'g')
        ), lambda phone: replace(phone, substr(phone, 1, 1), '') <> ''))), [])
    end
{%- endmacro %}
