-- One row per thing that the one-stop service has to have stopped, looked at or started after a certain death. The person
-- is a pseudonym for this recipient alone, which restricted.handover_pseudonyms leads back.
select
    {{ opaque_key(["'one_stop'", 'person_id', 'action', 'detail', 'managing_district', 'death_date']) }} as task_id,
    person_id,
    managing_district,
    action,
    detail,
    death_date,
    death_date_precision
from (
    select
        {{ pseudonym_for('one_stop', 'citizen_id') }} as person_id,
        managing_district, action, detail, death_date, death_date_precision
    from {{ ref('drawn_after_death_tasks') }}
) as told
