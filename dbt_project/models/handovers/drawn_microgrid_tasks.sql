-- One row per citizen and kind of task for the grid worker in the week of the run; not published, it names citizens.
--
-- weekly_visit: a key target at home, nobody knows a death of, without a visit in this week so far.
-- verify_life: a lead of payments, care or insurance after a death that is linked by probability only: somebody has to
-- look, also when the lead was given to somebody, until a result is noted.
with week as (

    select {{ week_of(as_of()) }} as week_start, {{ moved(week_of(as_of()), 'day', 6) }} as week_end

),

visits as (

    select r.citizen_id, min(r.managing_district) as managing_district
    from {{ ref('int_care_registrations__linked') }} as r
    where r.is_due_visits
    group by r.citizen_id

),

visited as (

    select c.citizen_id
    from {{ ref('care_visits') }} as c
    inner join week on c.visited_on between week.week_start and week.week_end
    where c.citizen_id is not null

),

housed as (

    select s.citizen_id
    from {{ ref('bed_stays') }} as s
    inner join week
        on s.checked_in_on <= week.week_end and coalesce(s.checked_out_on, {{ far_future() }}) >= week.week_start
    where s.citizen_id is not null

),

lives as (

    select f.citizen_id, min(coalesce(c.managing_district, c.hukou_district)) as managing_district
    from {{ ref('findings') }} as f
    inner join {{ ref('int_citizens__described') }} as c on f.citizen_id = c.citizen_id
    inner join {{ ref('int_deaths__judged') }} as d on f.citizen_id = d.citizen_id
    where f.state in ('needs_identity_review', 'dispatched') and f.is_holding and not d.is_certain
        and (f.rule like '%after_death' or f.rule = 'dead_member_insured')
    group by f.citizen_id

)

select v.citizen_id, v.managing_district, 'weekly_visit' as kind, week.week_end as due_on
from visits as v
cross join week
where v.citizen_id not in (select d.citizen_id from {{ ref('int_deaths__judged') }} as d)
    and v.citizen_id not in (select citizen_id from visited)
    and v.citizen_id not in (select citizen_id from housed)

union all

select lives.citizen_id, lives.managing_district, 'verify_life', week.week_end
from lives
cross join week
