-- One figure per indicator, district and month.
select indicator, managing_district, month
from {{ ref('kpi_monthly') }}
group by indicator, managing_district, month
having count(*) > 1
