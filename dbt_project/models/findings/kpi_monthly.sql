-- One row per indicator, managing district (510100: the whole city) and month.
--
-- Counts of persons, households, acts and leads under suppression_floor (5) are suppressed (value empty, is_suppressed),
-- and so are sums and shares when fewer persons stand behind them. What could be had by subtracting shown figures from a
-- shown total is suppressed too, by the rules of macros/golden/suppression.sql. Marriage acts are acts of registration, not weddings.
-- Deaths count persons by the month of death, or of cremation where no death date is known; a death known by its year
-- only has no month. Persons whom nobody could tell count once per record.
-- States of citizens (80 and more years old; number of silos; leads) stand for the day of the run or, for the months
-- before, for the last day of the month.
{% set person = "coalesce(citizen_id, household_key, source_system || '/' || source_record_id)" %}
with months as (

    select month_start, least({{ month_end('month_start') }}, {{ as_of() }}) as last_day
    from {{ months_between(moved(as_of(), 'month', '1 - ' ~ parameter('figure_months')), as_of()) }} as all_months

),

dibao_households as (

    select * from {{ ref('households') }} where benefit in ('dibao_urban', 'dibao_rural')

),

-- Persons paid for as the household's own row tells; where it does not, as its members' rows do.
insured_persons as (

    select h.managing_district, h.household_month, coalesce(h.insured_count, m.insured_count, 0) as insured_count
    from dibao_households as h
    left join (
        select household_key, household_month, count(*) as insured_count
        from {{ ref('household_members') }}
        where is_insured
        group by household_key, household_month
    ) as m on h.household_key = m.household_key and h.household_month = m.household_month

),

acts as (

    select distinct
        act_code, office_district, event_date, source_system, source_table, source_record_id
    from {{ ref('int_events__unioned') }}
    where act_code in ('IA', 'IB', 'ICA', 'ICB', 'IX') and not coalesce(is_withdrawn, false)

),

-- What the records of deaths and cremations say of residence, looked up once.
dying as (

    select mention_key, hukou_district
    from {{ ref('int_mentions__unioned') }}
    where mention_key in (
        select mention_key from {{ ref('int_events__unioned') }} where event_type in ('death', 'cremation')
    )

),

deaths as (

    select d.citizen_id as person, d.death_month, coalesce(m.hukou_district, c.hukou_district) as hukou_district
    from {{ ref('int_deaths__judged') }} as d
    inner join {{ ref('int_citizens__described') }} as c on d.citizen_id = c.citizen_id
    left join dying as m on d.mention_key = m.mention_key

    union all

    select
        e.mention_key, {{ month_of('coalesce(e.death_date, e.cremation_date)') }}, m.hukou_district
    from (
        select
            mention_key,
            max(case when event_type = 'death' then event_date end) as death_date,
            max(case when event_type = 'death' then date_precision end) as date_precision,
            max(case when event_type = 'cremation' then event_date end) as cremation_date
        from {{ ref('int_events__unioned') }}
        where event_type in ('death', 'cremation') and not coalesce(is_withdrawn, false)
        group by mention_key
    ) as e
    left join {{ source('identity', 'mention_links') }} as l on e.mention_key = l.mention_key
    left join dying as m on e.mention_key = m.mention_key
    where l.citizen_id is null and (e.death_date is null or coalesce(e.date_precision, 'day') <> 'year')

),

cremations as (

    select e.event_date, m.hukou_district, e.source_system || '/' || e.source_record_id as record
    from {{ ref('int_events__unioned') }} as e
    left join dying as m on e.mention_key = m.mention_key
    where e.event_type = 'cremation' and not coalesce(e.is_withdrawn, false)

),

stay_months as (

    select
        s.managing_district, s.source_system || '/' || s.institution_id as institution, s.subsidy_month_yuan, stay_month,
        coalesce(s.citizen_id, s.source_system || '/' || s.source_record_id) as person
    from (
        select
            bed_stays.*,
            {{ month_of('checked_in_on') }} as first_month,
            {{ month_of(moved('coalesce(checked_out_on, ' ~ moved(as_of(), 'day', 1) ~ ')', 'day', -1)) }} as last_month
        from {{ ref('bed_stays') }} as bed_stays
        where checked_in_on < coalesce(checked_out_on, {{ moved(as_of(), 'day', 1) }})
    ) as s
    inner join (
        select month_start as stay_month
        from {{ months_between(
            "(select coalesce(min(checked_in_on), " ~ as_of() ~ ") from " ~ ref('bed_stays') ~ ")",
            "(select greatest(coalesce(max(checked_out_on), " ~ as_of() ~ "), " ~ as_of() ~ ") from " ~ ref('bed_stays') ~ ")"
        ) }} as every_month
    ) as m on m.stay_month between s.first_month and s.last_month

),

week_months as (

    select
        citizen_id, managing_district, {{ month_of('week_end') }} as week_month,
        count(*) as weeks_due,
        sum(case when visit_count > 0 then 1 else 0 end) as weeks_visited
    from {{ ref('int_care_weeks__due') }}
    group by citizen_id, managing_district, {{ month_of('week_end') }}

),

-- Counted by birthday and death before months are asked: few of either are any one citizen's alone.
lives as (

    select
        coalesce(c.managing_district, c.hukou_district) as managing_district,
        {{ moved('c.birth_date', 'year', parameter('old_age_years')) }} as old_from,
        coalesce(d.death_date, {{ far_future() }}) as dead_from,
        count(*) as person_count
    from {{ ref('int_citizens__described') }} as c
    left join {{ ref('int_deaths__judged') }} as d on c.citizen_id = d.citizen_id
    where c.birth_date is not null
    group by 1, 2, 3

),

aged as (

    select lives.managing_district, months.month_start, sum(lives.person_count) as person_count
    from lives
    inner join months on lives.old_from <= months.last_day and lives.dead_from > months.last_day
    group by lives.managing_district, months.month_start

),

silos as (

    select
        coalesce(managing_district, hukou_district) as managing_district,
        len(source_systems) as silo_count,
        count(*) as person_count
    from {{ ref('citizens') }}
    group by coalesce(managing_district, hukou_district), len(source_systems)
    having len(source_systems) > 0

),

leads as (

    select
        f.finding_id, f.rule, f.state,
        coalesce(h.managing_district, c.managing_district, c.hukou_district) as managing_district
    from {{ ref('findings') }} as f
    left join {{ ref('int_citizens__described') }} as c on f.citizen_id = c.citizen_id
    left join (
        select household_key, min(managing_district) as managing_district
        from {{ ref('households') }}
        group by household_key
    ) as h on f.household_key = h.household_key

),

refused as (

    select
        source_system, district, rows_quarantined,
        case
            when delivered_month is not null and cast(delivered_month as varchar) <> '' then
                {{ month_of(text_date("case when length(cast(delivered_month as varchar)) = 6 then substr(cast(delivered_month as varchar), 1, 4) || '-' || substr(cast(delivered_month as varchar), 5, 2) else cast(delivered_month as varchar) end")) }}
            else {{ month_of('received_at') }}
        end as delivered_month
    from {{ ref('deliveries') }}
    where rows_quarantined > 0

),

-- Persons and yuan at once: telling persons apart is what a city's payments take long for.
benefits as (

    {{ by_district(ref('benefit_months'), ['benefit'], 'managing_district', 'benefit_month', {
        'persons': 'count(distinct ' ~ person ~ ')', 'yuan': 'sum(amount_yuan)'
    }) }}

),

figures as (

    select 'benefit_recipients.' || benefit as indicator, 'persons' as unit, managing_district, month, persons as full_value, persons
    from benefits
    union all
    select 'benefit_yuan.' || benefit, 'yuan', managing_district, month, yuan, persons
    from benefits
    union all
    {{ figure("'dibao_households'", 'households', 'dibao_households', 'managing_district', 'household_month', 'count(*)', 'count(*)') }}
    union all
    {{ figure("'dibao_insured_persons'", 'persons', 'insured_persons', 'managing_district', 'household_month',
        'sum(insured_count)', 'sum(insured_count)') }}
    union all
    {{ figure("'marriage_acts.' || act_code", 'acts', 'acts', 'office_district', month_of('event_date'), 'count(*)', 'count(*)') }}
    union all
    {{ figure("'deaths'", 'persons', 'deaths', 'hukou_district', 'death_month', 'count(distinct person)', 'count(distinct person)') }}
    union all
    {{ figure("'cremations'", 'acts', 'cremations', 'hukou_district', month_of('event_date'), 'count(distinct record)', 'count(distinct record)') }}
    union all
    {{ figure("'bed_stays'", 'persons', 'stay_months', 'managing_district', 'stay_month', 'count(distinct person)', 'count(distinct person)') }}
    union all
    {{ figure("'bed_subsidy_yuan'", 'yuan', '(select * from stay_months where subsidy_month_yuan is not null)', 'managing_district', 'stay_month',
        'sum(subsidy_month_yuan)', 'count(distinct person)') }}
    union all
    {{ figure("'institutions_with_stays'", 'institutions', 'stay_months', 'managing_district', 'stay_month',
        'count(distinct institution)', 'null') }}
    union all
    {{ figure("'citizens_80_plus'", 'persons', 'aged', 'managing_district', 'month_start', 'sum(person_count)', 'sum(person_count)') }}
    union all
    {{ figure("'weekly_visit_coverage'", 'share', 'week_months', 'managing_district', 'week_month',
        'cast(sum(weeks_visited) as double) / sum(weeks_due)', 'count(distinct citizen_id)') }}
    union all
    {{ figure("'citizens_by_silo_count.' || cast(silo_count as varchar)", 'persons', 'silos', 'managing_district', month_of(as_of()),
        'sum(person_count)', 'sum(person_count)') }}
    union all
    {{ figure("'findings.' || rule || '.' || state", 'leads', 'leads', 'managing_district', month_of(as_of()), 'count(*)', 'count(*)') }}
    union all
    {{ figure("'quarantined_rows.' || source_system", 'rows', 'refused', 'district', 'delivered_month', 'sum(rows_quarantined)', 'null') }}

),

small_hidden as (

    select
        figures.*,
        managing_district = {{ city_code() }} as is_city,
        coalesce(persons < {{ parameter('suppression_floor') }}, false) as is_hidden
    from figures

),

{{ hidden_against_subtraction('districts_hidden', 'small_hidden') }},

{{ hidden_totals('totals_hidden', 'districts_hidden') }},

-- A total hidden in one district can be had from the city's again.
{{ hidden_against_subtraction('all_hidden', 'totals_hidden') }}

select
    indicator,
    managing_district,
    month,
    case when not is_hidden then full_value end as value,
    unit,
    is_hidden as is_suppressed
from all_hidden
