{#
    Resident identity numbers (GB 11643-1999) and the other documents that appear in their place. All macros take column
    names of an earlier step, never long expressions: they name their argument many times.
#}

{# A folded text as a document number: upper case, no spaces, hyphens, apostrophes; every kind of cross is an X. #}
{% macro compact_document_no(folded) -%}
    {%- set compact = replace_pattern("upper(" ~ folded ~ ")", "[ ''’‘`´′″\"“”‐‑‒–—―−_,，、:;-]") -%}
    case
        when {{ has_pattern(folded, '^[0-9]{15}([0-9]{2}[0-9X])?$') }} then {{ folded }}
        else nullif({{ replace_pattern(replace_pattern(compact, '[×✕╳хХχΧ]', 'X'), '^([0-9]{15})[.]0+$', '\\1') }}, '')
    end
{%- endmacro %}


{# Check character of the first 17 digits; of use only where they are digits. #}
{% macro identity_check_character(number) -%}
    {%- set weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2] -%}
    substr('10X98765432', 1 + mod(
        {%- for weight in weights %} {{ weight }} * ({{ code_of('substr(' ~ number ~ ', ' ~ loop.index ~ ', 1)') }} - 48){{ ' +' if not loop.last }}{% endfor %}, 11), 1)
{%- endmacro %}


{# The 17 digits of the new form that a number of 15 digits stands for: the century is the 19 hundreds. #}
{% macro seventeen_of_fifteen(number) -%} substr({{ number }}, 1, 6) || '19' || substr({{ number }}, 7, 9) {%- endmacro %}


{# The birth date inside a number of 18 characters; null when there is no such day. #}
{% macro birth_date_in_number(number) -%}
    {{ cast_or_null("substr(" ~ number ~ ", 7, 4) || '-' || substr(" ~ number ~ ", 11, 2) || '-' || substr(" ~ number ~ ", 13, 2)", 'date') }}
{%- endmacro %}


{# First and last day on which somebody in these records may have been born. #}
{% macro is_plausible_day(day) -%}
    ({{ day }} between cast('1850-01-01' as date) and {% if var('as_of') %}greatest(current_date, cast('{{ var("as_of") }}' as date)){% else %}current_date{% endif %})
{%- endmacro %}


{# True for the placeholders of identity numbers: one repeated digit, zeros before or after, a running sequence. #}
{% macro is_placeholder_number(document_no) -%}
    (
        replace(case when length({{ document_no }}) in (15, 18) then substr({{ document_no }}, 1, length({{ document_no }}) - 1) else {{ document_no }} end,
            substr({{ document_no }}, 1, 1), '') = ''
        or {{ has_pattern(document_no, '^0000|^12345678|^01234567|^98765432|^87654321|^[0-9]{6}(0{8}|1{8}|9{8})|X{4}|[*]{8}') }}
    )
{%- endmacro %}


{#
    Adds to a relation what an identity-number field holds. `document_no` is the compacted text of `relation`,
    `document_type` its GA/T 517 code or null. New columns, all prefixed: <prefix>_no (sound number of 18 characters or
    null), <prefix>_status, <prefix>_damaged (a text worth comparing approximately), <prefix>_other (another document).

    A number is judged only by its own form: 18 characters with a right check character, or 15 digits, and in both a
    possible birth date. An unknown area code is no fault. Words without a digit (未办理) say that there is no number. A
    number that a spreadsheet cut is never repaired.
#}
{% macro judge_identity_numbers(relation, document_no, document_type, prefix) -%}
{{ relation }}_{{ prefix }}_long as (

    -- Every number in the form of 18 characters, so that one test serves old and new ones.
    select
        {{ relation }}.*,
        case
            when {{ has_pattern(document_no, '^[0-9]{15}$') }} then {{ seventeen_of_fifteen(document_no) }}
            when {{ has_pattern(document_no, '^[0-9]{17}[0-9X]$') }} then {{ document_no }}
        end as {{ prefix }}_long
    from {{ relation }}

),

{{ relation }}_{{ prefix }}_checked as (

    select
        {{ relation }}_{{ prefix }}_long.*,
        {{ identity_check_character(prefix ~ '_long') }} as {{ prefix }}_check,
        coalesce({{ is_plausible_day(birth_date_in_number(prefix ~ '_long')) }}, false) as {{ prefix }}_has_day
    from {{ relation }}_{{ prefix }}_long

),

{{ relation }}_{{ prefix }}_judged as (

    select
        {{ relation }}_{{ prefix }}_checked.*,
        case
            when {{ drop_empty_words(document_no) }} is null or {{ has_pattern(document_no, '^\\p{Han}+$') }} then 'empty'
            when {{ has_pattern(document_no, '^[0-9]([.][0-9]+)?E[+]?[0-9]{1,2}$|^[0-9]{18}[.]0*$') }} then 'excel_damaged'
            when {{ is_placeholder_number(document_no) }} then 'placeholder'
            when length({{ document_no }}) = 18 and {{ prefix }}_long is not null then
                case
                    when {{ prefix }}_check = substr({{ document_no }}, 18, 1) and {{ prefix }}_has_day then 'valid'
                    when {{ has_pattern(document_no, '000$') }} then 'excel_damaged'
                    when {{ prefix }}_has_day then 'bad_checksum'
                    else 'bad_form'
                end
            when {{ prefix }}_long is not null and {{ prefix }}_has_day then 'valid_15'
            when {{ other_document_no(document_no, document_type) }} is not null then 'other_document'
            else 'bad_form'
        end as {{ prefix }}_status
    from {{ relation }}_{{ prefix }}_checked

),

{{ relation }}_{{ prefix }} as (

    select
        {{ relation }}_{{ prefix }}_judged.*,
        case {{ prefix }}_status
            when 'valid' then {{ document_no }}
            when 'valid_15' then {{ prefix }}_long || {{ prefix }}_check
        end as {{ prefix }}_no,
        case
            when {{ prefix }}_status in ('bad_checksum', 'bad_form') and {{ has_pattern(document_no, '^[0-9A-Z*?]{15,18}$') }}
                and length({{ replace_pattern(document_no, '[^0-9]') }}) >= 12 then {{ document_no }}
        end as {{ prefix }}_damaged,
        case when {{ prefix }}_status = 'other_document' then {{ other_document_no(document_no, document_type) }} end as {{ prefix }}_other
    from {{ relation }}_{{ prefix }}_judged

)
{%- endmacro %}


{#
    The comparable form of a document that is no resident identity number, or null. The type decides where it is given
    (414 passport, 516 HK/Macau permit, 511 Taiwan permit, 114 officer, 553 foreign permanent resident); else the form
    does, and then eight digits that could be a date are none.
#}
{% macro other_document_no(document_no, document_type) -%}
    case
        when {{ has_pattern(document_no, '^[HM][0-9]{8}([0-9]{2})?$') }} then substr({{ document_no }}, 1, 9)
        when {{ has_pattern(document_no, '^[A-Z]{3}[0-9]{12}$') }} then {{ document_no }}
        when {{ has_pattern(document_no, '^[A-Z]([0-9]{8}|[A-Z][0-9]{7})$') }} then {{ document_no }}
        when {{ has_pattern(document_no, '字.*[0-9]{4,}') }} then {{ replace_pattern(document_no, '[第号() .]') }}
        when {{ document_type }} = '511' and {{ has_pattern(document_no, '^[0-9]{8}([0-9]{2})?$') }} then substr({{ document_no }}, 1, 8)
        when {{ document_type }} = '414' and {{ has_pattern(document_no, '^[A-Z0-9]{6,12}$') }} and {{ has_pattern(document_no, '[0-9]{4}') }} then {{ document_no }}
        when {{ document_type }} in ('114', '553') and {{ has_pattern(document_no, '[0-9]{6}') }} and length({{ document_no }}) <= 20 then {{ document_no }}
        when {{ document_type }} is null and {{ has_pattern(document_no, '^[0-9]{8}$') }}
            and not {{ has_pattern(document_no, '^(1[89]|20)[0-9]{2}(0[0-9]|1[0-2])[0-3][0-9]$') }} then {{ document_no }}
    end
{%- endmacro %}


{# Whether one of two sound numbers is the other after a spreadsheet lost the tail: it leaves noughts, and one such number in twelve passes the checksum. #}
{% macro is_lost_tail(number, other) -%}
(substr({{ number }}, 1, 15) = substr({{ other }}, 1, 15) and (substr({{ number }}, 16, 3) = '000' or substr({{ other }}, 16, 3) = '000'))
{%- endmacro %}
