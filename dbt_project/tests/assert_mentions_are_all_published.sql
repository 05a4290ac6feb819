-- Every mention that staging hands over is in citizen_mentions exactly once. No key stands twice in what is handed over (a
-- test of its own), so it is enough that there are as many rows and that their keys' digests add up to the same.
{% set key = ['source_system', 'source_table', 'source_record_id', 'role'] %}
with handed_over as (

    select count(*) as row_count, {{ digest_sum(key) }} as digests from {{ ref('int_mentions__unioned') }}

),

published as (

    select count(*) as row_count, {{ digest_sum(key) }} as digests from {{ ref('citizen_mentions') }}

)

select handed_over.row_count, published.row_count as published_count
from handed_over
cross join published
where handed_over.row_count <> published.row_count
    or coalesce(handed_over.digests, 0) <> coalesce(published.digests, 0)
