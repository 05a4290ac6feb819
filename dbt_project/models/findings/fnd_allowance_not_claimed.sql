-- One row per citizen, registered in the city, who turned old_age_years (80) more than claim_months (3) months before
-- the day of the run, is alive, and was never paid the old_age_allowance for any month. Still going on: the period ends with the day of the run.
--
-- Registered in the city: the chosen hukou district is one of the statutory districts. A birth date known to the year
-- only serves nobody. A person with a death on record, even one linked by probability, or a hint of
-- one (a registration or a check-out says so), is not called living. The period begins with the month in which the person turned old_age_years.
-- Parameters: old_age_years, claim_months. No money is at stake for the city: the person misses it.
-- Absence is proven only where no payment may be the person's: a payment of the allowance under the person's number, or
-- in the person's district (a zone pays on the land of its statutory districts) to a payee of the same name whom
-- identity could not tell or whom only payments know (a relative's number was typed), or to an untold payee whose name
-- of three characters differs by one that is not the surname, is taken for theirs. A person who is not certain is not
-- said to be unpaid where anybody of the name is paid there, nor beside a certain citizen of the same birth date and
-- name, or surname and district, who may well be the same person. Nobody is called living beside a death in the district
-- that identity could not be certain of and that fits by name or birth date.
-- Traps: the dead who were never cremated; people who moved away without a word.
with payees as (

    select name, id_no, district, citizen_id is null as is_untold, is_known_elsewhere
    from {{ ref('int_payees__named') }}
    where benefit = 'old_age_allowance'

),

doubtful_deaths as (

    select distinct m.name, m.birth_date, m.birth_date_precision, m.hukou_district
    from {{ ref('int_events__unioned') }} as d
    inner join {{ ref('int_mentions__unioned') }} as m on d.mention_key = m.mention_key
    left join {{ source('identity', 'mention_links') }} as l on d.mention_key = l.mention_key
    where d.event_type in ('death', 'cremation') and not coalesce(d.is_withdrawn, false)
        and not coalesce(l.is_certain, false) and m.name is not null and m.hukou_district is not null

),

-- Everybody whom no payment names and of whom no silo knows a death: who of them may have been meant by one comes after.
unnamed as (

    select
        c.citizen_id, c.name, c.birth_date, c.hukou_district, c.managing_district, c.has_certain_link
    from {{ ref('int_citizens__described') }} as c
    inner join {{ ref('districts') }} as t on c.hukou_district = t.district and t.kind = 'statutory'
    left join {{ ref('int_deaths__judged') }} as d on c.citizen_id = d.citizen_id
    where c.birth_date_precision in ('day', 'month')
        and {{ moved(moved('c.birth_date', 'year', parameter('old_age_years')), 'month', parameter('claim_months')) }} < {{ as_of() }}
        and d.citizen_id is null
        and c.citizen_id not in (
            select citizen_id from {{ ref('int_benefit_months__expanded') }}
            where benefit = 'old_age_allowance' and citizen_id is not null
        )
        and c.citizen_id not in (
            select l.citizen_id
            from {{ ref('int_declarations__unioned') }} as hint
            inner join {{ source('identity', 'mention_links') }} as l on hint.mention_key = l.mention_key
            where hint.attribute = 'life_status_hint' and not coalesce(hint.is_withdrawn, false) and l.citizen_id is not null
        )
        and c.citizen_id not in (
            select m.citizen_id
            from payees as n
            inner join {{ ref('int_mentions__folded') }} as m on n.id_no = m.id_no
        )

),

-- Who may be the same person as one whose identity is not certain: of the same birth date at least.
certain_citizens as (

    select distinct
        coalesce(c.birth_date_by_number, c.birth_date) as birth_date, c.hukou_district, c.managing_district, c.name,
        substr(c.name, 1, 1) as surname
    from {{ ref('int_citizens__described') }} as c
    where c.has_certain_link and c.name is not null
        and coalesce(c.birth_date_by_number, c.birth_date) in (select birth_date from unnamed where not has_certain_link)

),

-- Equal keys and not one condition of alternatives: a city's payees are too many to be compared with everybody.
places as (

    select citizen_id, name, has_certain_link, hukou_district as district from unnamed

    union

    select citizen_id, name, has_certain_link, managing_district from unnamed

),

perhaps_paid as (

    select p.citizen_id
    from places as p
    inner join payees as n on p.district = n.district and p.name = n.name
    where n.is_untold or not n.is_known_elsewhere or not p.has_certain_link

    union

    select p.citizen_id
    from places as p
    inner join payees as n on p.district = n.district and substr(p.name, 1, 2) = substr(n.name, 1, 2)
    where n.is_untold and length(n.name) = 3 and length(p.name) = 3

    union

    select p.citizen_id
    from places as p
    inner join payees as n
        on p.district = n.district
        and substr(p.name, 1, 1) = substr(n.name, 1, 1)
        and substr(p.name, 3, 1) = substr(n.name, 3, 1)
    where n.is_untold and length(n.name) = 3 and length(p.name) = 3

),

perhaps_dead as (

    select c.citizen_id
    from unnamed as c
    inner join doubtful_deaths as u
        on c.hukou_district = u.hukou_district
        and c.birth_date = u.birth_date
        and substr(c.name, 1, 1) = substr(u.name, 1, 1)
    where u.birth_date_precision = 'day'

    union

    select c.citizen_id
    from unnamed as c
    inner join doubtful_deaths as u on c.hukou_district = u.hukou_district and c.name = u.name
    where u.birth_date is null or extract(year from u.birth_date) = extract(year from c.birth_date)

),

unpaid as (

    select c.citizen_id, c.birth_date, c.has_certain_link
    from unnamed as c
    where c.citizen_id not in (select citizen_id from perhaps_paid)
        and c.citizen_id not in (select citizen_id from perhaps_dead)
        and (
            c.has_certain_link
            or not exists (
                select 1
                from certain_citizens as k
                where k.birth_date = c.birth_date
                    and (
                        k.name = c.name
                        or (
                            k.surname = substr(c.name, 1, 1)
                            and (k.hukou_district is null or k.hukou_district = c.hukou_district or k.managing_district = c.managing_district)
                        )
                    )
            )
        )

),

-- What only a void record says of birth and residence accuses no office.
statements as (

    select *
    from {{ ref('int_statements__told') }}
    where attribute in ('birth_date', 'hukou_district') and is_chosen and not is_withdrawn
        and citizen_id in (select citizen_id from unpaid)

),

cases as (

    select
        c.citizen_id,
        cast(null as varchar) as household_key,
        {{ month_of(moved('c.birth_date', 'year', parameter('old_age_years'))) }} as case_from,
        cast(null as date) as case_to,
        0 as amount_yuan,
        c.has_certain_link as is_certain,
        {{ evidence_of(['birth', 'hukou']) }} as evidence
    from unpaid as c
    inner join statements as birth on c.citizen_id = birth.citizen_id and birth.attribute = 'birth_date'
    inner join statements as hukou on c.citizen_id = hukou.citizen_id and hukou.attribute = 'hukou_district'

)

{{ leads_from_cases('allowance_not_claimed', 'C') }}
