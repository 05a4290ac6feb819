-- One row per citizen and day of a registration act that the person took part in after dying: one record is wrong.
--
-- Holds for marriages, divorces and re-issued certificates dated after the death date; annulments are made without the
-- person and do not count. Only deaths known to the day serve. No money is at stake.
-- Traps: the handler's number typed as the deceased's; someone else's number on a registration typed from paper.
with cases as (

    select
        a.citizen_id,
        cast(null as varchar) as household_key,
        a.event_date as case_from,
        a.event_date as case_to,
        0 as amount_yuan,
        a.is_certain and d.is_certain as is_certain,
        {{ evidence_of(['a', 'd']) }} as evidence
    from {{ ref('int_acts__linked') }} as a
    inner join {{ ref('int_deaths__judged') }} as d on a.citizen_id = d.citizen_id
    where a.event_type in ('marriage', 'divorce', 'certificate_reissue')
        and a.event_date > d.death_day

)

{{ leads_from_cases('act_after_death', 'A') }}
