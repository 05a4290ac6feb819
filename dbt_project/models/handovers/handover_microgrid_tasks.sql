-- One row per task of the grid workers in the week of the run: whom to visit, whose life to verify. Minimal columns; the
-- person is a pseudonym for this recipient alone, which restricted.handover_pseudonyms leads back.
select
    {{ opaque_key(["'microgrid'", 'person_id', 'kind', 'due_on']) }} as task_id,
    person_id,
    managing_district,
    kind,
    due_on
from (
    select {{ pseudonym_for('microgrid', 'citizen_id') }} as person_id, managing_district, kind, due_on
    from {{ ref('drawn_microgrid_tasks') }}
) as told
