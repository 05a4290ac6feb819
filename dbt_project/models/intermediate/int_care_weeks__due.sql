-- One row per citizen who must be visited every week and full ISO week in which a visit was due, with the visits made.
--
-- Due are weeks that the person spent wholly at home and alive:
--   from the week after the week of the first recorded visit (over all of the person's registrations);
--   a week that touches a bed stay on any day, check-in and check-out days included, is not a full week at home;
--   ended (Sunday) at least late_entry_days before the day of the run: younger weeks may still be typed in;
--   ended before the death: before the death date, or before the month or year where no day is known. A death linked
--   only by probability counts, so that no visit to a person who is probably dead is called missed.
-- Two registrations of one person are one person. Visits count by the day they took place, whenever typed in.
with due_people as (

    select
        citizen_id,
        min(managing_district) as managing_district,
        max(case when is_certain then 1 else 0 end) = 1 as is_certain,
        min(source_system) as source_system,
        min(source_table) as source_table,
        min(source_record_id) as source_record_id
    from {{ ref('int_care_registrations__linked') }}
    where is_key_target
    group by citizen_id
    having max(case when is_due_visits then 1 else 0 end) = 1
        or citizen_id in (select d.citizen_id from {{ ref('int_deaths__judged') }} as d)

),

visited_weeks as (

    select
        v.citizen_id,
        {{ week_of('v.visited_on') }} as week_start,
        count(*) as visit_count
    from {{ ref('care_visits') }} as v
    inner join due_people as p on v.citizen_id = p.citizen_id
    group by v.citizen_id, {{ week_of('v.visited_on') }}

),

firsts as (

    select citizen_id, min(week_start) as first_week
    from visited_weeks
    group by citizen_id

),

spans as (

    select
        p.*,
        f.first_week,
        case d.death_date_precision
            when 'year' then {{ dbt.date_trunc('year', 'd.death_date') }}
            when 'day' then d.death_date
            else {{ month_of('d.death_date') }}
        end as dead_from
    from due_people as p
    inner join firsts as f on p.citizen_id = f.citizen_id
    left join {{ ref('int_deaths__judged') }} as d on p.citizen_id = d.citizen_id

),

weeks as (

    select week_start, {{ moved('week_start', 'day', 6) }} as week_end
    from {{ weeks_between("(select coalesce(min(first_week), " ~ as_of() ~ ") from firsts)", as_of()) }} as all_weeks

),

candidates as (

    select s.*, w.week_start, w.week_end
    from spans as s
    inner join weeks as w
        on w.week_start > s.first_week
        and w.week_end < coalesce(s.dead_from, {{ far_future() }})
    where {{ moved('w.week_end', 'day', parameter('late_entry_days')) }} <= {{ as_of() }}

),

stayed as (

    select distinct c.citizen_id, c.week_start
    from candidates as c
    inner join {{ ref('bed_stays') }} as s
        on c.citizen_id = s.citizen_id
        and s.checked_in_on <= c.week_end
        and coalesce(s.checked_out_on, {{ far_future() }}) >= c.week_start

)

select
    c.citizen_id,
    c.week_start,
    c.week_end,
    c.managing_district,
    coalesce(v.visit_count, 0) as visit_count,
    c.is_certain,
    c.source_system,
    c.source_table,
    c.source_record_id
from candidates as c
left join stayed on c.citizen_id = stayed.citizen_id and c.week_start = stayed.week_start
left join visited_weeks as v on c.citizen_id = v.citizen_id and c.week_start = v.week_start
where stayed.citizen_id is null
