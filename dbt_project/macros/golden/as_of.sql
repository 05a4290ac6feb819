{# The day a run speaks of, as a date; every run gives it. #}
{% macro as_of() -%}
    {%- if execute and not var('as_of') -%}
        {{ exceptions.raise_compiler_error("the variable as_of is empty; give the day the run speaks of as YYYY-MM-DD.") }}
    {%- endif -%}
    cast('{{ var("as_of") }}' as date)
{%- endmacro %}


{# The run that builds this candidate, as text. #}
{% macro run_id() -%}
    {%- if execute and not var('run_id') -%}
        {{ exceptions.raise_compiler_error("the variable run_id is empty; every run gives its own.") }}
    {%- endif -%}
    '{{ var("run_id") }}'
{%- endmacro %}


{# A threshold in force on the day the run speaks of, as an integer: a row of the dated table `parameters`. #}
{% macro parameter(name) -%}
    (select cast(p.value as integer) from {{ ref('parameters') }} as p
     where p.parameter = '{{ name }}' and p.valid_from <= {{ as_of() }} and (p.valid_to is null or p.valid_to >= {{ as_of() }}))
{%- endmacro %}


{# The thresholds the models ask for; a test demands that each stands in the table exactly once on every day. #}
{% macro parameter_names() -%}
    {{ return([
        'grace_months', 'recheck_months', 'checkout_grace_days', 'old_age_years', 'late_entry_days', 'claim_months',
        'several_records', 'suppression_floor', 'figure_months'
    ]) }}
{%- endmacro %}
