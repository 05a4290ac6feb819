-- One row per act that ends or undoes a marriage, and the marriage it ends.
--
-- Ends are divorces and annulments, and a re-issued divorce certificate where no silo holds the divorce itself. The
-- marriage is found by the number the act refers to (borne by a marriage of the same person, or by one marriage only),
-- else as the couple's latest marriage up to then, else as the latest marriage up to then of either party: a divorce
-- whose other party nobody could tell still ends something, and a marriage wrongly held open accuses people.
with ends as (

    select a.*
    from {{ ref('int_acts__linked') }} as a
    where a.event_type in ('divorce', 'annulment')
        or (
            a.act_code = 'ICB'
            and not exists (
                select 1 from {{ ref('int_acts__linked') }} as d
                where d.event_type = 'divorce' and d.citizen_id = a.citizen_id
                    and (d.couple_key = a.couple_key or d.refers_to_no = a.refers_to_no)
                    and coalesce(d.event_date, {{ far_past() }}) <= coalesce(a.event_date, {{ far_future() }})
            )
        )

),

marriages as (

    select * from {{ ref('int_marriages__stated') }}

),

numbers as (

    select certificate_no, count(distinct act_key) as marriage_count
    from marriages
    where certificate_no is not null
    group by certificate_no

),

by_number as (

    select distinct e.act_key as end_key, m.act_key as marriage_key, 'number' as matched_by
    from ends as e
    inner join marriages as m on e.refers_to_no = m.certificate_no
    inner join numbers as n on m.certificate_no = n.certificate_no
    where (n.marriage_count = 1 or m.citizen_id = e.citizen_id)
        and coalesce(m.married_on, {{ far_past() }}) <= coalesce(e.event_date, {{ far_future() }})

),

by_couple as (

    select end_key, marriage_key, 'couple' as matched_by
    from (
        select
            e.act_key as end_key,
            m.act_key as marriage_key,
            row_number() over (
                partition by e.act_key order by coalesce(m.married_on, {{ far_past() }}) desc, m.act_key desc
            ) as place
        from ends as e
        inner join marriages as m on e.couple_key = m.couple_key
        where e.act_key not in (select end_key from by_number)
            and coalesce(m.married_on, {{ far_past() }}) <= coalesce(e.event_date, {{ far_future() }})
    ) as ranked
    where place = 1

),

by_person as (

    select end_key, marriage_key, 'person' as matched_by
    from (
        select
            e.act_key as end_key,
            m.act_key as marriage_key,
            row_number() over (
                partition by e.act_key, e.citizen_id
                order by coalesce(m.married_on, {{ far_past() }}) desc, m.act_key desc
            ) as place
        from ends as e
        inner join marriages as m on e.citizen_id = m.citizen_id
        where e.act_key not in (select end_key from by_number)
            and e.act_key not in (select end_key from by_couple)
            and coalesce(m.married_on, {{ far_past() }}) <= coalesce(e.event_date, {{ far_future() }})
    ) as ranked
    where place = 1

),

matched as (

    select * from by_number
    union all
    select * from by_couple
    union all
    select distinct * from by_person

),

acts as (

    select
        act_key, event_type, event_date, source_system, source_table, source_record_id,
        row_number() over (partition by act_key order by citizen_id) as place
    from ends

)

select
    matched.marriage_key,
    matched.end_key,
    matched.matched_by,
    case when acts.event_type = 'annulment' then 'annulment' else 'divorce' end as end_reason,
    acts.event_date as ended_on,
    acts.source_system,
    acts.source_table,
    acts.source_record_id
from matched
inner join acts on matched.end_key = acts.act_key and acts.place = 1
