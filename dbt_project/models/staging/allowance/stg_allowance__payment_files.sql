-- One row per payment file that counts (of a district and month the highest accepted version): what its closing row says
-- and what became of its rows that are no payment in force.
--
-- superseded: the record came again in another file, the later delivery counts. repeated: rows of one record inside one
-- file, of which the landing keeps the last; their yuan is not kept. An amount that is no number counts zero, as in 合计.
with files as (

    select
        deliveries.*,
        row_number() over (
            partition by district, delivered_month
            order by
                coalesce(version, 1) desc, case when rows_accepted + rows_quarantined > 0 then 0 else 1 end,
                received_at desc, delivery_id desc
        ) as place
    from {{ source('landing', 'deliveries') }} as deliveries
    where source_system = 'allowance' and entity = 'payment' and state = 'accepted'

),

quarantined as (

    select delivery_id, count(*) as row_count, sum(coalesce({{ read_amount(json_text('row_json', 'amount')) }}, 0)) as yuan
    from {{ source('landing', 'quarantine') }}
    where source_system = 'allowance' and entity = 'payment'
    group by delivery_id

),

superseded as (

    select _delivery_id as delivery_id, count(*) as row_count, sum(coalesce(amount, 0)) as yuan
    from {{ source('landing', 'allowance__payment__replaced') }}
    group by _delivery_id

),

payment_files as (

    select
        files.delivery_id,
        files.source_system,
        files.district as managing_district,
        {{ date_of_month('files.delivered_month') }} as delivered_month,
        files.rows_read,
        files.control_rows,
        files.control_sum as control_sum_yuan,
        coalesce(quarantined.row_count, 0) as rows_quarantined,
        coalesce(quarantined.yuan, 0) as quarantined_yuan,
        coalesce(superseded.row_count, 0) as rows_superseded,
        coalesce(superseded.yuan, 0) as superseded_yuan,
        files.rows_superseded + files.rows_duplicate - coalesce(superseded.row_count, 0) as rows_repeated
    from files
    left join quarantined on files.delivery_id = quarantined.delivery_id
    left join superseded on files.delivery_id = superseded.delivery_id
    where files.place = 1

)

select {{ shape_columns('payment_files') }}
from payment_files
