-- One row per thing that has to be stopped, looked at or started after a certain death; not published, it names citizens.
--
-- Deaths of the last figure_months whose month is known. stop_benefit: a benefit that ran until the month before the death
-- or later and has not ended since. recheck_household: the same for dibao of a household with further members, and a
-- household that counts the dead as insured in the latest file of its district.
-- close_bed_stay: a stay that is open. end_weekly_visits: a registration that still owes visits. start_funeral_relief:
-- special hardship support without a burial payment since.
-- Only what is linked with certainty counts: a payment that may be another's must not be stopped. It is a lead to review.
with deaths as (

    select citizen_id, death_date, death_date_precision, death_month
    from {{ ref('int_deaths__judged') }}
    where is_certain and death_month >= {{ moved(month_of(as_of()), 'month', '1 - ' ~ parameter('figure_months')) }}

),

last_months as (

    select b.citizen_id, b.benefit, b.managing_district, max(b.household_key) as household_key, max(b.benefit_month) as last_month
    from {{ ref('int_benefit_months__expanded') }} as b
    inner join deaths as d on b.citizen_id = d.citizen_id
    where b.is_certain
        and b.benefit in ('old_age_allowance', 'disability_living', 'disability_nursing', 'tekun', 'dibao_urban', 'dibao_rural')
    group by b.citizen_id, b.benefit, b.managing_district

),

running as (

    select m.*
    from last_months as m
    inner join (
        select benefit, managing_district, max(benefit_month) as latest_month
        from {{ ref('benefit_months') }}
        group by benefit, managing_district
    ) as l on m.benefit = l.benefit and m.managing_district = l.managing_district and m.last_month >= l.latest_month

),

shared_households as (

    select household_key, household_month
    from {{ ref('household_members') }}
    group by household_key, household_month
    having count(*) > 1

),

-- A member is paid for with the household: no payment names the person.
insured_members as (

    select m.citizen_id, m.managing_district, h.benefit
    from {{ ref('household_members') }} as m
    inner join {{ ref('households') }} as h
        on m.household_key = h.household_key and m.household_month = h.household_month
    inner join (
        select benefit, managing_district, max(household_month) as latest_month
        from {{ ref('households') }}
        group by benefit, managing_district
    ) as l
        on h.benefit = l.benefit and h.managing_district = l.managing_district and h.household_month = l.latest_month
    inner join shared_households as s
        on m.household_key = s.household_key and m.household_month = s.household_month
    inner join deaths as d on m.citizen_id = d.citizen_id and m.household_month >= {{ moved('d.death_month', 'month', -1) }}
    where m.is_insured and m.is_certain

),

tasks as (

    select citizen_id, managing_district, 'recheck_household' as action, benefit as detail
    from insured_members

    union all

    select
        r.citizen_id, r.managing_district,
        case when h.household_key is not null and r.benefit like 'dibao%' then 'recheck_household' else 'stop_benefit' end,
        r.benefit
    from running as r
    inner join deaths as d
        on r.citizen_id = d.citizen_id and r.last_month >= {{ moved('d.death_month', 'month', -1) }}
    left join shared_households as h on r.household_key = h.household_key and r.last_month = h.household_month

    union all

    select s.citizen_id, s.managing_district, 'close_bed_stay', 'bed'
    from {{ ref('bed_stays') }} as s
    where s.checked_out_on is null and s.is_certain

    union all

    select r.citizen_id, r.managing_district, 'end_weekly_visits', 'care_visit'
    from {{ ref('int_care_registrations__linked') }} as r
    where r.is_due_visits and r.is_certain

    union all

    select m.citizen_id, m.managing_district, 'start_funeral_relief', 'tekun_funeral'
    from last_months as m
    inner join deaths as d
        on m.citizen_id = d.citizen_id and m.last_month >= {{ moved('d.death_month', 'month', -1) }}
    where m.benefit = 'tekun'
        and not exists (
            select 1 from {{ ref('benefit_months') }} as f
            where f.benefit = 'tekun_funeral' and (f.citizen_id = m.citizen_id or f.household_key = m.household_key)
                and f.benefit_month >= d.death_month
        )

)

select
    t.citizen_id,
    coalesce(t.managing_district, c.managing_district, c.hukou_district) as managing_district,
    t.action,
    t.detail,
    d.death_date,
    d.death_date_precision
from tasks as t
inner join deaths as d on t.citizen_id = d.citizen_id
inner join {{ ref('int_citizens__described') }} as c on t.citizen_id = c.citizen_id
group by 1, 2, 3, 4, 5, 6
