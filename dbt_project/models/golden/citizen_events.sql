-- One row per standing event in a citizen's life; benefit_start and benefit_end are derived from benefit months.
--
-- benefit_start: the first of consecutive months of one benefit. benefit_end: the last of them, once a later month of
-- that benefit has been paid to anyone in the same district (else the benefit may simply not be paid yet).
with recorded as (

    select
        {{ opaque_key(['e.mention_key', 'e.event_type', 'e.source_record_id', 'e.event_date', 'e.act_code']) }} as event_id,
        l.citizen_id,
        e.event_type,
        e.event_date,
        e.date_precision,
        e.source_system,
        e.source_record_id,
        cast(coalesce(e.attributes, '{}') as json) as attributes
    from {{ ref('int_events__unioned') }} as e
    inner join {{ source('identity', 'mention_links') }} as l on e.mention_key = l.mention_key
    where not coalesce(e.is_withdrawn, false) and l.citizen_id is not null

),

paid_months as (

    select
        citizen_id, benefit, benefit_month,
        min(managing_district) as managing_district,
        min(source_system) as source_system,
        min(source_record_id) as source_record_id
    from {{ ref('int_benefit_months__expanded') }}
    where citizen_id is not null
    group by citizen_id, benefit, benefit_month

),

latest as (

    select benefit, managing_district, max(benefit_month) as latest_month
    from paid_months
    group by benefit, managing_district

),

edges as (

    select
        paid_months.*,
        lag(benefit_month) over (partition by citizen_id, benefit order by benefit_month) as month_before,
        lead(benefit_month) over (partition by citizen_id, benefit order by benefit_month) as month_after
    from paid_months

),

derived as (

    select edges.*, 'benefit_start' as event_type
    from edges
    where month_before is null or month_before < {{ moved('benefit_month', 'month', -1) }}

    union all

    select edges.*, 'benefit_end' as event_type
    from edges
    inner join latest
        on edges.benefit = latest.benefit and edges.managing_district = latest.managing_district
        and edges.benefit_month < latest.latest_month
    where month_after is null or month_after > {{ moved('benefit_month', 'month', 1) }}

)

select event_id, citizen_id, event_type, event_date, date_precision, source_system, source_record_id, attributes
from recorded

union all

select
    {{ opaque_key(['citizen_id', 'event_type', 'benefit', 'benefit_month']) }} as event_id,
    citizen_id,
    event_type,
    benefit_month as event_date,
    'month' as date_precision,
    source_system,
    source_record_id,
    cast('{"benefit": "' || benefit || '"}' as json) as attributes
from derived
