-- One row per change of a citizen's marital state that events tell: state (GB/T 2261.2: 20 married, 30 widowed,
-- 40 divorced) from happened_on until the next row of the citizen. is_last: no row follows, and this is what holds.
--
-- Annulled marriages are gone, re-issues restate. Widowhood follows only from a certain death of the spouse, of the
-- latest marriage, not yet divorced, and not after the citizen's own death. Within one day: a divorce, then a marriage,
-- then the end of a marriage made that very day.
with marriages as (

    select * from {{ ref('int_marriages__dated') }}

),

-- Only a death asks which marriage of the spouse left behind was the latest.
bereaved as (

    select
        m.*,
        row_number() over (
            partition by citizen_id order by coalesce(married_on, {{ far_past() }}) desc, marriage_key desc
        ) as place_from_last
    from marriages as m
    where citizen_id in (select citizen_id from marriages where spouse_died_on is not null)

),

changes as (

    select
        citizen_id, married_on as happened_on, '20' as marital_code, partner_citizen_id, marriage_key,
        2 as place_in_day, is_certain, source_system, source_table, source_record_id
    from marriages

    union all

    select
        m.citizen_id, e.ended_on, '40', null, m.marriage_key,
        case when e.ended_on = m.married_on then 3 else 1 end, m.is_certain,
        e.source_system, e.source_table, e.source_record_id
    from marriages as m
    inner join {{ ref('int_marriages__ended') }} as e on m.marriage_key = e.marriage_key and e.end_reason = 'divorce'

    union all

    -- A divorce from a marriage that no silo holds.
    select
        a.citizen_id, a.event_date, '40', null, null,
        1, a.is_certain, a.source_system, a.source_table, a.source_record_id
    from {{ ref('int_acts__linked') }} as a
    where (a.event_type = 'divorce' or a.act_code = 'ICB')
        and a.act_key not in (select end_key from {{ ref('int_marriages__ended') }})
        and not (
            a.act_code = 'ICB' and exists (
                select 1 from {{ ref('int_acts__linked') }} as d
                where d.event_type = 'divorce' and d.citizen_id = a.citizen_id
                    and (d.couple_key = a.couple_key or d.refers_to_no = a.refers_to_no)
            )
        )

    union all

    select
        m.citizen_id, m.spouse_died_on, '30', null, m.marriage_key,
        3, m.is_certain, d.source_system, d.source_table, d.source_record_id
    from bereaved as m
    inner join {{ ref('int_deaths__judged') }} as d on m.partner_citizen_id = d.citizen_id
    where m.place_from_last = 1
        and d.is_certain
        and coalesce(m.own_died_on, {{ far_future() }}) > m.spouse_died_on
        and m.spouse_died_on >= coalesce(m.married_on, {{ far_past() }})
        and coalesce(m.divorced_on, {{ far_future() }}) > m.spouse_died_on

)

select
    citizen_id,
    happened_on,
    marital_code,
    partner_citizen_id,
    marriage_key,
    is_certain,
    source_system,
    source_table,
    source_record_id,
    row_number() over life as place,
    lead(happened_on) over life as until,
    lead(citizen_id) over life is null as is_last
from changes
window life as (
    partition by citizen_id
    order by coalesce(happened_on, {{ far_past() }}), place_in_day, coalesce(marriage_key, ''), source_record_id
)
