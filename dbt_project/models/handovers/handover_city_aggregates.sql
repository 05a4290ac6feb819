-- One row per indicator and month of the whole city that is not suppressed: no persons, no districts.
select indicator, month, value, unit
from {{ ref('kpi_monthly') }}
where managing_district = {{ city_code() }} and value is not null
