-- One row per paying district and month of its folder: the control totals of the district's payment files, and where every
-- row and fen of them went. difference_yuan and difference_rows are 0 when nothing is lost and nothing is invented.
--
--   control totals + rows of files without one
--     = quarantined + failed + superseded (sent again later) + repeated (inside one file)
--       + reported twice (by a zone and the district of its land) + without a month + counted
--
-- counted is what stands in benefit_months, and so in benefit_yuan.* of kpi_monthly, there by the month covered and here by
-- the month reported. A control total counts failed and faulty rows too. The landing keeps the last of rows that repeat
-- inside one file: where there are such, their yuan is what the control total leaves.
with files as (

    select
        managing_district, delivered_month,
        count(*) as file_count,
        sum(case when control_sum_yuan is null then 1 else 0 end) as files_without_control,
        sum(coalesce(control_rows, rows_read)) as control_rows,
        sum(control_sum_yuan) as control_sum_yuan,
        sum(rows_quarantined) as rows_quarantined,
        sum(quarantined_yuan) as quarantined_yuan,
        sum(case when control_sum_yuan is null then quarantined_yuan + superseded_yuan else 0 end) as out_without_control_yuan,
        sum(rows_superseded) as rows_superseded,
        sum(superseded_yuan) as superseded_yuan,
        sum(rows_repeated) as rows_repeated
    from {{ ref('int_payment_files__unioned') }}
    group by managing_district, delivered_month

),

covered as (

    select source_system, source_record_id, sum(amount_yuan) as amount_yuan
    from {{ ref('benefit_months') }}
    group by source_system, source_record_id

),

placed as (

    select
        p.managing_district, p.delivered_month, coalesce(p.amount_yuan, 0) as amount_yuan,
        coalesce(c.amount_yuan, 0) as covered_yuan,
        f.delivery_id is null or f.control_sum_yuan is null as is_without_control,
        case
            when coalesce(p.is_failed, false) then 'failed'
            when c.source_record_id is not null then 'counted'
            when t.source_record_id is not null then 'reported_twice'
            else 'without_month'
        end as outcome
    from {{ ref('int_payments__unioned') }} as p
    left join {{ ref('int_payments__reported_twice') }} as t
        on p.source_system = t.source_system and p.source_record_id = t.source_record_id
    left join covered as c on p.source_system = c.source_system and p.source_record_id = c.source_record_id
    left join {{ ref('int_mentions__unioned') }} as m on p.mention_key = m.mention_key
    left join {{ ref('int_payment_files__unioned') }} as f on m.delivery_id = f.delivery_id

),

outcomes as (

    select
        managing_district, delivered_month,
        count(*) as rows_accepted,
        sum(amount_yuan) as accepted_yuan,
        sum(case when is_without_control then amount_yuan else 0 end) as without_control_yuan,
        {% for outcome in ['failed', 'reported_twice', 'without_month', 'counted'] %}
        sum(case when outcome = '{{ outcome }}' then 1 else 0 end) as rows_{{ outcome }},
        sum(case when outcome = '{{ outcome }}' then {{ 'covered_yuan' if outcome == 'counted' else 'amount_yuan' }} else 0 end) as {{ outcome }}_yuan{{ ',' if not loop.last }}
        {% endfor %}
    from placed
    group by managing_district, delivered_month

),

told as (

    select
        f.managing_district, f.delivered_month, f.file_count, f.files_without_control, f.control_rows,
        coalesce(f.control_sum_yuan, 0) as control_sum_yuan,
        coalesce(o.without_control_yuan, 0) + f.out_without_control_yuan as without_control_yuan,
        f.rows_quarantined, f.quarantined_yuan, f.rows_superseded, f.superseded_yuan, f.rows_repeated,
        coalesce(o.rows_accepted, 0) as rows_accepted,
        coalesce(o.accepted_yuan, 0) as accepted_yuan,
        {% for outcome in ['failed', 'reported_twice', 'without_month', 'counted'] %}
        coalesce(o.rows_{{ outcome }}, 0) as rows_{{ outcome }},
        coalesce(o.{{ outcome }}_yuan, 0) as {{ outcome }}_yuan{{ ',' if not loop.last }}
        {% endfor %}
    from files as f
    left join outcomes as o on f.managing_district = o.managing_district and f.delivered_month = o.delivered_month

),

left_over as (

    select
        told.*,
        control_sum_yuan + without_control_yuan - quarantined_yuan - superseded_yuan - failed_yuan - reported_twice_yuan
            - without_month_yuan - counted_yuan as left_yuan
    from told

)

select
    managing_district,
    delivered_month,
    cast(file_count as bigint) as file_count,
    cast(files_without_control as bigint) as files_without_control,
    cast(control_rows as bigint) as control_rows,
    cast(rows_accepted as bigint) as rows_accepted,
    cast(rows_quarantined as bigint) as rows_quarantined,
    cast(rows_superseded as bigint) as rows_superseded,
    cast(rows_repeated as bigint) as rows_repeated,
    cast(rows_failed as bigint) as rows_failed,
    cast(rows_reported_twice as bigint) as rows_reported_twice,
    cast(rows_without_month as bigint) as rows_without_month,
    cast(rows_counted as bigint) as rows_counted,
    cast(control_rows - rows_quarantined - rows_superseded - rows_repeated - rows_failed - rows_reported_twice
        - rows_without_month - rows_counted as bigint) as difference_rows,
    cast(control_sum_yuan as decimal(14, 2)) as control_sum_yuan,
    cast(without_control_yuan as decimal(14, 2)) as without_control_yuan,
    cast(accepted_yuan as decimal(14, 2)) as accepted_yuan,
    cast(quarantined_yuan as decimal(14, 2)) as quarantined_yuan,
    cast(superseded_yuan as decimal(14, 2)) as superseded_yuan,
    cast(case when rows_repeated > 0 then left_yuan else 0 end as decimal(14, 2)) as repeated_yuan,
    cast(failed_yuan as decimal(14, 2)) as failed_yuan,
    cast(reported_twice_yuan as decimal(14, 2)) as reported_twice_yuan,
    cast(without_month_yuan as decimal(14, 2)) as without_month_yuan,
    cast(counted_yuan as decimal(14, 2)) as counted_yuan,
    cast(case when rows_repeated > 0 then 0 else left_yuan end as decimal(14, 2)) as difference_yuan
from left_over
