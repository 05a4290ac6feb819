-- One row per retired citizen_id and the citizen it went to.
select
    old_citizen_id,
    citizen_id,
    reason,
    run_id,
    happened_at
from {{ source('identity', 'redirects') }}
