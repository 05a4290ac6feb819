-- One row per marriage that was not annulled, and spouse who is a known citizen: from when to when, and why it ended.
--
-- A spouse's death ends a marriage; one linked only by probability counts here too (possible_end), because rules that
-- accuse people must not hold a marriage open that a death has probably ended. spouse_died_on is certain or probable:
-- spouse_death_is_certain tells.
with ends as (

    select
        marriage_key,
        min(case when end_reason = 'divorce' then coalesce(ended_on, {{ far_past() }}) end) as divorced_on,
        max(case when end_reason = 'annulment' then 1 else 0 end) = 1 as is_annulled
    from {{ ref('int_marriages__ended') }}
    group by marriage_key

),

dated as (

    select
        m.*,
        ends.divorced_on,
        coalesce(ends.is_annulled, false) as is_annulled,
        spouse.death_date as spouse_died_on,
        spouse.is_certain as spouse_death_is_certain,
        own.death_date as own_died_on
    from {{ ref('int_marriages__stated') }} as m
    left join ends on m.act_key = ends.marriage_key
    left join {{ ref('int_deaths__judged') }} as spouse on m.partner_citizen_id = spouse.citizen_id
    left join {{ ref('int_deaths__judged') }} as own on m.citizen_id = own.citizen_id

)

select
    act_key as marriage_key,
    citizen_id,
    partner_citizen_id,
    couple_key,
    married_on,
    is_restated,
    divorced_on,
    spouse_died_on,
    spouse_death_is_certain,
    own_died_on,
    least(
        coalesce(divorced_on, {{ far_future() }}),
        coalesce(spouse_died_on, {{ far_future() }}),
        coalesce(own_died_on, {{ far_future() }})
    ) as possible_end,
    is_certain,
    source_system,
    source_table,
    source_record_id
from dated
where not is_annulled
