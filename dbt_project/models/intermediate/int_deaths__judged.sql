-- One row per citizen with a valid (not withdrawn) record of death or cremation.
--
-- Which record speaks when there are several: a certain link before a probable one, then the more exact date, then the
-- later date (accusing a living person is the worst error, so the cautious date stands), then the record id.
-- death_date_precision: day, month, year, or not_later_than (no death date at all: the cremation date stands in).
-- death_day serves rules that count days, death_month rules that count months. A death known only by its year serves
-- neither, even when a cremation date is on the same record.
with dated as (

    select
        l.citizen_id,
        e.source_system,
        e.source_table,
        e.source_record_id,
        min(e.mention_key) as mention_key,
        max(case when e.event_type = 'death' then e.event_date end) as stated_date,
        max(case when e.event_type = 'death' and e.event_date is not null then e.date_precision end) as stated_precision,
        max(case when e.event_type = 'cremation' then e.event_date end) as cremation_date,
        max(case when e.event_type = 'cremation' then e.date_precision end) as cremation_precision,
        max(case when l.is_certain then 1 else 0 end) = 1 as is_certain
    from {{ ref('int_events__unioned') }} as e
    inner join {{ source('identity', 'mention_links') }} as l on e.mention_key = l.mention_key
    where e.event_type in ('death', 'cremation')
        and not coalesce(e.is_withdrawn, false)
        and e.event_date is not null
        and l.citizen_id is not null
    group by l.citizen_id, e.source_system, e.source_table, e.source_record_id

),

ranked as (

    select
        dated.*,
        coalesce(stated_date, cremation_date) as death_date,
        case
            when stated_date is not null then coalesce(stated_precision, 'day')
            when cremation_precision = 'year' then 'year'
            else 'not_later_than'
        end as death_date_precision,
        row_number() over (
            partition by citizen_id
            order by
                case when is_certain then 0 else 1 end,
                case when stated_date is null then 2 when stated_precision = 'month' then 1 when stated_precision = 'year' then 3 else 0 end,
                coalesce(stated_date, cremation_date) desc,
                source_system, source_table, source_record_id
        ) as place
    from dated

)

select
    citizen_id,
    mention_key,
    death_date,
    death_date_precision,
    cremation_date,
    case when death_date_precision = 'day' then death_date end as death_day,
    case when death_date_precision <> 'year' then {{ month_of('death_date') }} end as death_month,
    is_certain,
    source_system,
    source_table,
    source_record_id
from ranked
where place = 1
