-- One row per change of a citizen's marital state that events tell: what held from when until when. The last row of a
-- citizen is what citizens says; a citizen without a row is never_recorded.
{{ config(materialized='view') }}
select
    citizen_id,
    cast(place as integer) as state_number,
    case marital_code when '20' then 'married' when '30' then 'widowed' when '40' then 'divorced' end as marital_status,
    partner_citizen_id as spouse_citizen_id,
    happened_on as valid_from,
    until as valid_to,
    source_system,
    source_record_id
from {{ ref('int_marital_states__dated') }}
