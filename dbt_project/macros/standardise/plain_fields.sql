{# 'male', 'female' or null from words, letters and GB/T 2261.1 codes. #}
{% macro standardise_sex(folded) -%}
    case
        when upper({{ folded }}) in ('男', '男性', '1', '01', 'M', 'MALE') then 'male'
        when upper({{ folded }}) in ('女', '女性', '2', '02', 'F', 'FEMALE') then 'female'
    end
{%- endmacro %}


{# An address to compare: no spaces, one kind of hyphen, without the province and the city in front. #}
{% macro standardise_address(folded) -%}
    {%- set joined = "replace(" ~ folded ~ ", ' ', '')" -%}
    {%- set plain = "case when " ~ has_pattern(folded, '[a-z‐‑‒–—―−]') ~ " then upper(" ~ replace_pattern(joined, '[‐‑‒–—―−]', '-') ~ ") else " ~ joined ~ " end" -%}
    case
        when {{ drop_empty_words(folded) }} is null then null
        else nullif({{ replace_pattern(plain, '^(?:中国)?(?:四川省?成都市?|成都市|四川省)') }}, '')
    end
{%- endmacro %}


{# A bank account as digits; null when a spreadsheet cut it or when it is no account. #}
{% macro standardise_account(folded) -%}
    {%- set compact = replace_pattern("upper(" ~ folded ~ ")", "[ ''’‘`-]") -%}
    case when {{ has_pattern(compact, '^[0-9A-Z]{8,32}$') }} and not {{ has_pattern(compact, '^([0-9]E[0-9]|0+$)') }}
        and {{ has_pattern(compact, '[0-9]{8}') }} then {{ compact }} end
{%- endmacro %}


{# A number of a certificate or household as its owner would look it up: upper case, no spaces. #}
{% macro standardise_reference_no(text) -%}
    {%- set folded = replace_pattern("upper(" ~ fold_code(text) ~ ")", ' +') -%}
    {{ drop_empty_words(folded) }}
{%- endmacro %}


{# An amount in text with signs, separators and units as a decimal; null when it is none. #}
{% macro read_amount(text) -%}
    {{ cast_or_null(replace_pattern(fold_code(text), '[,¥￥元 ]'), 'decimal(14,2)') }}
{%- endmacro %}


{# The division that a folded code or address names first, to look up by name: 武侯区 of 四川省成都市武侯区…. #}
{% macro named_district(folded) -%}
    {{ extract_pattern(replace_pattern(folded, ' +'), '^(?:四川省?)?(?:成都市?)?([^省市区县0-9]{1,3}[区县市])', 1) }}
{%- endmacro %}


{# The six digits of a division in a code of six, nine or twelve; null otherwise. #}
{% macro district_code(folded) -%}
    nullif({{ extract_pattern(folded, '^([1-9][0-9]{5})(?:[0-9]{3}){0,2}$', 1) }}, '')
{%- endmacro %}
