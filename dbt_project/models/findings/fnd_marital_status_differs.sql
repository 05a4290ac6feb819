-- One row per citizen and run of consecutive months in which the marital status declared to a silo differs from the one
-- that events tell for that day.
--
-- Compared are GB/T 2261.2 codes; 20, 21, 22, 23 are one, 90 says nothing. A declaration speaks of its month: events up
-- to the end of that month count. A status written on an act of registration is the one before the act, or restates an
-- old one on a re-issue: the act itself overtakes it, so it is not compared.
-- Lawful: no event on record (10 is not contradicted by the absence of events). After a death of the spouse that is
-- linked only by probability, or not known to the day and in its own month, both 20 and 30 pass.
-- No money is at stake. Traps: court divorces are in no silo, so a declared 40 after a marriage may well be true; a
-- declaration lags behind the event.
with declarations as (

    select d.*
    from {{ ref('int_declarations__unioned') }} as d
    where d.attribute = 'marital_status'
        and not coalesce(d.is_withdrawn, false)
        and d.value in ('10', '20', '21', '22', '23', '30', '40')
        and d.mention_key not in (
            select mention_key from {{ ref('int_events__unioned') }}
            where event_type in ('marriage', 'divorce', 'annulment', 'certificate_reissue') and mention_key is not null
        )

),

stated as (

    select
        l.citizen_id,
        coalesce(d.said_on, {{ as_of() }}) as said_on,
        case when d.value in ('20', '21', '22', '23') then '20' else d.value end as marital_code,
        coalesce(l.is_certain, false) as is_certain,
        d.source_system, d.source_table, d.source_record_id
    from declarations as d
    inner join {{ source('identity', 'mention_links') }} as l on d.mention_key = l.mention_key
    where l.citizen_id is not null

),

-- A status stands until the next statement of the same table: a month without a row, or with one that nobody could link,
-- does not break a run of equal declarations.
declared as (

    select
        stated.*,
        lead(said_on) over next_statement as next_said_on,
        lead(marital_code) over next_statement as next_code
    from stated
    window next_statement as (partition by citizen_id, source_system, source_table order by said_on, source_record_id)

),

compared as (

    select
        d.*,
        s.marital_code as derived_code,
        s.marriage_key,
        s.is_certain as state_is_certain,
        {{ record_of('s') }} as state_record
    from declared as d
    inner join {{ ref('int_marital_states__dated') }} as s
        on d.citizen_id = s.citizen_id
        and coalesce(s.happened_on, {{ far_past() }}) <= {{ month_end('d.said_on') }}
        and coalesce(s.until, {{ far_future() }}) > {{ month_end('d.said_on') }}
    qualify row_number() over (
        partition by d.citizen_id, d.source_system, d.source_table, d.source_record_id, d.said_on order by s.place desc
    ) = 1

),

cases as (

    select
        c.citizen_id,
        cast(null as varchar) as household_key,
        {{ month_of('c.said_on') }} as case_from,
        case
            when c.next_code = c.marital_code and {{ month_of('c.next_said_on') }} > c.said_on
                then {{ moved(month_of('c.next_said_on'), 'day', -1) }}
            else {{ month_end('c.said_on') }}
        end as case_to,
        0 as amount_yuan,
        c.is_certain and c.state_is_certain as is_certain,
        {{ joined_evidence('[c.state_record]', evidence_of(['c'])) }} as evidence
    from compared as c
    left join {{ ref('int_marriages__dated') }} as m on c.marriage_key = m.marriage_key and c.citizen_id = m.citizen_id
    left join {{ ref('int_deaths__judged') }} as d on m.partner_citizen_id = d.citizen_id
    where c.marital_code <> c.derived_code
        and not (
            c.marital_code in ('20', '30')
            and c.derived_code in ('20', '30')
            and d.citizen_id is not null
            and (not d.is_certain or (d.death_date_precision <> 'day' and {{ month_of('c.said_on') }} = {{ month_of('d.death_date') }}))
        )

)

{{ leads_from_cases('marital_status_differs', 'C') }}
