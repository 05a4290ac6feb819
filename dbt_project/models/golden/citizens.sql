-- One row per citizen named by at least one mention; the golden record without direct identifiers.
--
-- life_status follows from valid records of death or cremation; has_certain_death tells whether one of them is linked
-- with certainty (only such a death counts in findings). death_date_precision not_later_than: the cremation date stands
-- in. marital_status follows from events: never_recorded means that no silo holds an event, not that the person never
-- married (court divorces and other provinces' acts are in no silo).
select
    c.citizen_id,
    {{ masked_name('c.name') }} as name_masked,
    c.sex,
    cast(extract(year from c.birth_date) as integer) as birth_year,
    case when c.birth_date is not null then c.birth_date_precision end as birth_date_precision,
    c.hukou_district,
    c.managing_district,
    case when d.citizen_id is not null then 'deceased' else 'alive' end as life_status,
    d.death_date,
    d.death_date_precision,
    coalesce(d.is_certain, false) as has_certain_death,
    case coalesce(s.marital_code, '10')
        when '20' then 'married' when '30' then 'widowed' when '40' then 'divorced' else 'never_recorded'
    end as marital_status,
    case when s.marital_code = '20' then s.partner_citizen_id end as spouse_citizen_id,
    c.source_systems,
    cast(c.mention_count as integer) as mention_count,
    cast(c.identity_confidence as double) as identity_confidence
from {{ ref('int_citizens__described') }} as c
left join {{ ref('int_deaths__judged') }} as d on c.citizen_id = d.citizen_id
left join {{ ref('int_marital_states__dated') }} as s on c.citizen_id = s.citizen_id and s.is_last
