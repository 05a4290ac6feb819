-- One row per delivery: what it held and what became of it (rows read = accepted + quarantined + superseded + duplicate).
select
    delivery_id, source_system, entity, district, delivered_month, version, state, reason,
    rows_read, rows_accepted, rows_quarantined, rows_superseded, rows_duplicate, notices_count,
    control_rows, control_sum, content_hash, received_at, load_id
from {{ source('landing', 'deliveries') }}
