-- One row per lead: (rule, citizen or household, contiguous period), those that hold now and those of earlier runs.
--
-- finding_id is an opaque key of (rule, citizen or household, first day of the period) as the lead was first seen. A
-- lead that overlaps an earlier one of the same rule and citizen or household is that lead and keeps its id: when its
-- period grows or shrinks, and when the citizen was merged into another (redirects are followed).
-- State of a lead that holds: what people decided last about it, or about an overlapping lead of the same rule and
-- subject, stays (dispatched, confirmed, rejected, undetermined, handled; a rejected one so suppresses the same lead);
-- without a decision, or after one was revoked, candidate, or needs_identity_review when a death or another record it
-- rests on is linked only by probability. A lead that a run closed and that holds again is opened in the same way.
-- A lead of an earlier run that no longer holds is closed with the reason; rejected and handled ones stay as they are.
--
-- decision_number is the number of the ledger's entry that the state takes into account: younger entries lie over it.
-- last_seen_run moves on when the lead says something else or when rows have landed since: a run over the same
-- deliveries sees nothing new and changes no row.
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

    select
        leads.*,
        coalesce(citizen_id, household_key) as subject,
        coalesce(period_to, {{ far_future() }}) as last_day,
        {{ opaque_key(['rule', 'coalesce(citizen_id, household_key)', 'period_from']) }} as own_finding_id
    from leads

),

merged as (

    select old_citizen_id, min(citizen_id) as citizen_id
    from {{ source('identity', 'redirects') }}
    where reason = 'merge'
    group by old_citizen_id

),

earlier as (

    select
        h.finding_id,
        h.rule,
        h.severity,
        coalesce(r.citizen_id, h.citizen_id) as citizen_id,
        h.household_key,
        h.period_from,
        h.period_to,
        h.amount_yuan,
        h.state,
        h.state_reason,
        h.evidence,
        h.decision_number,
        h.first_seen_run,
        h.last_seen_run,
        coalesce(h.is_holding, h.state <> 'closed') as is_holding,
        coalesce(r.citizen_id, h.citizen_id, h.household_key) as subject,
        coalesce(h.period_to, {{ far_future() }}) as last_day
    from {{ source('history', 'findings') }} as h
    left join merged as r on h.citizen_id = r.old_citizen_id

),

decisions as (

    select
        d.decision_number,
        d.finding_id,
        d.state,
        d.rule,
        coalesce(r.citizen_id, d.citizen_id, d.household_key) as subject,
        d.period_from,
        coalesce(d.period_to, {{ far_future() }}) as last_day
    from {{ source('history', 'decisions') }} as d
    left join merged as r on d.citizen_id = r.old_citizen_id

),

-- Every earlier lead that a lead of now continues. Two joins: an alternative of conditions would be compared pairwise.
continued as (

    select k.own_finding_id, e.finding_id as earlier_finding_id
    from keyed as k
    inner join earlier as e on k.own_finding_id = e.finding_id

    union

    select k.own_finding_id, e.finding_id as earlier_finding_id
    from keyed as k
    inner join earlier as e
        on k.rule = e.rule
        and k.subject = e.subject
        and k.period_from <= e.last_day
        and e.period_from <= k.last_day

),

ranked as (

    select
        c.own_finding_id,
        c.earlier_finding_id,
        row_number() over (
            partition by c.own_finding_id
            order by
                case when c.own_finding_id = e.finding_id then 1 when k.period_from = e.period_from then 2 else 3 end,
                case when e.state = 'closed' then 2 else 1 end, e.first_seen_run, e.finding_id
        ) as earlier_place,
        row_number() over (
            partition by c.earlier_finding_id
            order by
                case when c.own_finding_id = e.finding_id then 1 when k.period_from = e.period_from then 2 else 3 end,
                k.period_from, k.own_finding_id
        ) as own_place,
        min(e.first_seen_run) over (partition by c.own_finding_id) as first_seen_run,
        -- What an earlier snapshot says was decided, for a lead that the ledger does not know.
        first_value(case when e.state in ('dispatched', 'confirmed', 'rejected', 'undetermined', 'handled') then e.state end)
            over (
                partition by c.own_finding_id
                order by
                    case e.state
                        when 'rejected' then 1 when 'handled' then 2 when 'confirmed' then 3 when 'dispatched' then 4
                        when 'undetermined' then 5 else 6
                    end,
                    e.finding_id
            ) as remembered_state
    from continued as c
    inner join keyed as k on c.own_finding_id = k.own_finding_id
    inner join earlier as e on c.earlier_finding_id = e.finding_id

),

-- An id goes to one lead only: the two must be each other's best match. Equal keys always are, so no id is given twice.
identified as (

    select
        k.*,
        coalesce(best.earlier_finding_id, k.own_finding_id) as finding_id,
        best.earlier_finding_id,
        known.first_seen_run,
        known.remembered_state
    from keyed as k
    left join ranked as best
        on k.own_finding_id = best.own_finding_id and best.earlier_place = 1 and best.own_place = 1
    left join ranked as known
        on k.own_finding_id = known.own_finding_id and known.earlier_place = 1

),

decisions_by_lead as (

    select i.finding_id, d.state, d.decision_number
    from identified as i
    inner join decisions as d on i.finding_id = d.finding_id

    union all

    select i.finding_id, d.state, d.decision_number
    from identified as i
    inner join decisions as d
        on i.rule = d.rule and i.subject = d.subject and i.period_from <= d.last_day and d.period_from <= i.last_day

    union all

    select e.finding_id, d.state, d.decision_number
    from earlier as e
    inner join decisions as d on e.finding_id = d.finding_id

),

decided as (

    select finding_id, state, decision_number
    from decisions_by_lead
    qualify row_number() over (partition by finding_id order by decision_number desc) = 1

),

-- The deliveries that brought rows, now against those behind the last snapshot.
news as (

    select count(*) > 0 as has_landed
    from (
        select delivery_id, state, rows_accepted from {{ ref('deliveries') }} where rows_accepted > 0
    ) as n
    full outer join (
        select delivery_id, state, rows_accepted from {{ source('history', 'deliveries') }} where rows_accepted > 0
    ) as o
        on n.delivery_id = o.delivery_id and n.state = o.state and n.rows_accepted = o.rows_accepted
    where n.delivery_id is null or o.delivery_id is null

),

held as (

    select
        i.finding_id,
        i.rule,
        i.severity,
        i.citizen_id,
        i.household_key,
        i.period_from,
        i.period_to,
        i.amount_yuan,
        case
            when coalesce(d.state, i.remembered_state)
                in ('dispatched', 'confirmed', 'rejected', 'undetermined', 'handled')
                then coalesce(d.state, i.remembered_state)
            when i.is_certain then 'candidate'
            else 'needs_identity_review'
        end as state,
        cast(null as varchar) as state_reason,
        true as is_holding,
        d.decision_number,
        {{ as_json('i.evidence') }} as evidence,
        coalesce(i.first_seen_run, {{ run_id() }}) as first_seen_run,
        case
            when not news.has_landed
                and e.is_holding
                and i.severity = e.severity
                and i.period_from = e.period_from
                and i.last_day = e.last_day
                and i.amount_yuan = e.amount_yuan
                and i.subject = e.subject
                and coalesce(i.household_key, '') = coalesce(e.household_key, '')
                and cast({{ as_json('i.evidence') }} as varchar) = cast(e.evidence as varchar)
                then e.last_seen_run
            else {{ run_id() }}
        end as last_seen_run
    from identified as i
    cross join news
    left join earlier as e on i.earlier_finding_id = e.finding_id
    left join decided as d on i.finding_id = d.finding_id

),

gone as (

    select
        e.*,
        d.decision_number as last_decision_number,
        case
            when e.state = 'closed' and coalesce(d.decision_number, 0) = coalesce(e.decision_number, 0) then 'closed'
            when c.earlier_finding_id is not null then 'closed'
            when coalesce(d.state, e.state) in ('rejected', 'handled') then coalesce(d.state, e.state)
            else 'closed'
        end as new_state,
        case
            when e.state = 'closed' and e.state_reason is not null then e.state_reason
            when c.earlier_finding_id is not null then 'It is one with another lead of the same rule now.'
            when (e.rule like '%after_death' or e.rule = 'dead_member_insured') and dead.citizen_id is null
                then 'The death it rests on was withdrawn or is linked to nobody any more.'
            when e.citizen_id is not null and person.citizen_id is null
                then 'The citizen it was about exists no more: the records were found to be of others.'
            else 'The source records no longer disagree, or speak of another period.'
        end as closing_reason
    from earlier as e
    left join identified as i on e.finding_id = i.finding_id
    left join (select distinct earlier_finding_id from continued) as c on e.finding_id = c.earlier_finding_id
    left join decided as d on e.finding_id = d.finding_id
    left join {{ ref('int_deaths__judged') }} as dead on e.citizen_id = dead.citizen_id
    left join {{ source('identity', 'citizens') }} as person on e.citizen_id = person.citizen_id
    where i.finding_id is null

)

select * from held
union all
select
    finding_id,
    rule,
    severity,
    citizen_id,
    household_key,
    period_from,
    period_to,
    amount_yuan,
    new_state as state,
    case when new_state = 'closed' then closing_reason end as state_reason,
    false as is_holding,
    last_decision_number as decision_number,
    cast(evidence as json) as evidence,
    first_seen_run,
    last_seen_run
from gone
