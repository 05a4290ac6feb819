{#
    From cases to leads: one row per (rule, citizen or household, contiguous period).

    A rule writes its cases into a CTE `cases`, one row per disagreement: citizen_id, household_key, case_from, case_to
    (null: still going on; the lead then ends with the day of the run), amount_yuan, is_certain, evidence (list of source records). Cases of one citizen (or of one
    household, where no citizen is meant) that touch or overlap in time are one lead. `unit` says when two cases touch:
    'day' when the next begins on the day after the last at the latest (whole months are such cases too), 'week' when
    they lie in the same or in consecutive ISO weeks. A lead is certain when at least one of its cases is: that one
    alone would be a lead.
#}
{% macro leads_from_cases(rule, severity, unit='day') %}
, lead_spans as (

    select
        cases.*,
        coalesce(cases.citizen_id, cases.household_key) as subject,
        {% if unit == 'week' -%}
        {{ week_of('cases.case_from') }} as span_from,
        {{ moved(week_of('coalesce(cases.case_to, ' ~ far_future() ~ ')'), 'day', 6) }} as span_to
        {%- else -%}
        cases.case_from as span_from,
        coalesce(cases.case_to, {{ far_future() }}) as span_to
        {%- endif %}
    from cases

),

lead_touches as (

    select
        lead_spans.*,
        case
            when span_from <= {{ moved("least(" ~ moved(far_future(), 'day', -7) ~ ", max(span_to) over (
                partition by subject order by span_from, span_to rows between unbounded preceding and 1 preceding
            ))", 'day', 1) }} then 0
            else 1
        end as is_new
    from lead_spans

),

lead_numbers as (

    -- The default frame counts ties together: equal lead_spans belong to the same lead whatever their order.
    select lead_touches.*, sum(is_new) over (partition by subject order by span_from, span_to) as lead_number
    from lead_touches

)

select
    '{{ rule }}' as rule,
    '{{ severity }}' as severity,
    max(citizen_id) as citizen_id,
    min(household_key) as household_key,
    min(case_from) as period_from,
    case
        when count(*) = count(case_to) then max(case_to)
        else greatest(max(case_from), max(coalesce(case_to, {{ as_of() }})))
    end as period_to,
    cast(coalesce(sum(amount_yuan), 0) as decimal(14, 2)) as amount_yuan,
    max(case when is_certain then 1 else 0 end) = 1 as is_certain,
    {{ gathered_evidence('evidence') }} as evidence
from lead_numbers
group by subject, lead_number
{% endmacro %}
