-- Restricted. One row per recipient and citizen who is named to it: leads a pseudonym back to the citizen.
select
    'microgrid' as recipient,
    {{ pseudonym_for('microgrid', 'citizen_id') }} as person_id,
    citizen_id
from (select distinct citizen_id from {{ ref('drawn_microgrid_tasks') }}) as microgrid

union all

select
    'one_stop',
    {{ pseudonym_for('one_stop', 'citizen_id') }},
    citizen_id
from (select distinct citizen_id from {{ ref('drawn_after_death_tasks') }}) as one_stop
