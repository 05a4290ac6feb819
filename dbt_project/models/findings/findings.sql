-- One row per lead: (rule, citizen or household, contiguous period), those that hold now and those of earlier runs.
--
-- finding_id is an opaque key of (rule, citizen or household, first day of the period): unchanged inputs keep it, and a
-- citizen merged into another takes the leads along (redirects are followed before the key is made).
-- State of a lead that holds: what people decided stays (dispatched, confirmed, rejected, undetermined, handled; a
-- rejected one so suppresses the same lead); else candidate, or needs_identity_review when a death or another record it
-- rests on is linked only by probability. A lead closed earlier that holds again is opened again.
-- A lead of an earlier run that no longer holds is closed with the reason; rejected and handled ones stay as they are.
{% set rules = [
    'fnd_benefit_after_death', 'fnd_dead_member_insured', 'fnd_bed_subsidy_after_death', 'fnd_care_after_death',
    'fnd_act_after_death', 'fnd_same_benefit_two_districts', 'fnd_exclusive_benefits', 'fnd_undeclared_marriage',
    'fnd_two_open_marriages', 'fnd_underage_allowance', 'fnd_home_care_in_institution', 'fnd_bed_in_two_institutions',
    'fnd_weekly_visit_missed', 'fnd_allowance_not_claimed', 'fnd_marital_status_differs', 'fnd_one_number_two_people',
    'fnd_one_person_two_numbers'
] %}
with leads as (

    {% for rule in rules %}
    select rule, severity, citizen_id, household_key, period_from, period_to, amount_yuan, is_certain, evidence
    from {{ ref(rule) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

keyed as (

    select leads.*, {{ opaque_key(['rule', 'coalesce(citizen_id, household_key)', 'period_from']) }} as finding_id
    from leads

),

remembered as (

    select
        h.finding_id as old_finding_id,
        {{ opaque_key(['h.rule', 'coalesce(r.citizen_id, h.citizen_id, h.household_key)', 'h.period_from']) }} as finding_id,
        h.rule,
        h.severity,
        coalesce(r.citizen_id, h.citizen_id) as citizen_id,
        h.household_key,
        h.period_from,
        h.period_to,
        h.amount_yuan,
        h.state,
        h.evidence,
        h.first_seen_run,
        h.last_seen_run,
        r.citizen_id is not null as is_redirected
    from {{ source('history', 'findings') }} as h
    left join (
        select old_citizen_id, min(citizen_id) as citizen_id
        from {{ source('identity', 'redirects') }}
        where reason = 'merge'
        group by old_citizen_id
    ) as r on h.citizen_id = r.old_citizen_id

),

-- Two leads of merged citizens may become one: what people decided outranks what a run computed, then the older lead.
previous as (

    select *
    from remembered
    qualify row_number() over (
        partition by finding_id
        order by
            case state
                when 'rejected' then 1 when 'handled' then 2 when 'confirmed' then 3 when 'dispatched' then 4
                when 'undetermined' then 5 when 'closed' then 7 else 6
            end,
            first_seen_run, old_finding_id
    ) = 1

),

held as (

    select
        k.finding_id,
        k.rule,
        k.severity,
        k.citizen_id,
        k.household_key,
        k.period_from,
        k.period_to,
        k.amount_yuan,
        case
            when p.state in ('dispatched', 'confirmed', 'rejected', 'undetermined', 'handled') then p.state
            when k.is_certain then 'candidate'
            else 'needs_identity_review'
        end as state,
        cast(null as varchar) as state_reason,
        {{ as_json('k.evidence') }} as evidence,
        coalesce(p.first_seen_run, {{ run_id() }}) as first_seen_run,
        {{ run_id() }} as last_seen_run
    from keyed as k
    left join previous as p on k.finding_id = p.finding_id

),

gone as (

    select
        p.finding_id,
        p.rule,
        p.severity,
        p.citizen_id,
        p.household_key,
        p.period_from,
        p.period_to,
        p.amount_yuan,
        case when p.state in ('rejected', 'handled') then p.state else 'closed' end as state,
        case
            when p.state in ('rejected', 'handled') then null
            when p.rule like '%after_death' and d.citizen_id is null
                then 'The death it rests on was withdrawn or is linked to nobody any more.'
            else 'The source records no longer disagree, or speak of another period.'
        end as state_reason,
        cast(p.evidence as json) as evidence,
        p.first_seen_run,
        p.last_seen_run
    from previous as p
    left join keyed as k on p.finding_id = k.finding_id
    left join {{ ref('int_deaths__judged') }} as d on p.citizen_id = d.citizen_id
    where k.finding_id is null

)

select * from held
union all
select * from gone
