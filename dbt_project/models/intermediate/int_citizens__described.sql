-- One row per citizen who is named by at least one mention: the chosen value of each attribute, the
-- birth date, and the source systems that know the citizen by a record that was not withdrawn.
with chosen as (

    select
        citizen_id,
        max(case when attribute = 'name' then value end) as name,
        max(case when attribute = 'sex' then value end) as sex,
        max(case when attribute = 'birth_date' then value end) as birth_text,
        max(case when attribute = 'hukou_district' then value end) as hukou_district,
        max(case when attribute = 'managing_district' then value end) as managing_district
    from {{ ref('int_statements__chosen') }}
    where attribute in ('name', 'sex', 'birth_date', 'hukou_district', 'managing_district')
    group by citizen_id

),

named as (

    select
        l.citizen_id,
        count(*) as mention_count,
        {{ sorted_distinct('m.source_system', 'not coalesce(m.is_withdrawn, false)') }} as source_systems
    from {{ source('identity', 'mention_links') }} as l
    inner join {{ ref('int_mentions__unioned') }} as m on l.mention_key = m.mention_key
    where l.citizen_id is not null
    group by l.citizen_id

)

select
    c.citizen_id,
    c.id_no,
    c.identity_confidence,
    chosen.name,
    chosen.sex,
    {{ text_date('chosen.birth_text') }} as birth_date,
    case length(chosen.birth_text) when 10 then 'day' when 7 then 'month' when 4 then 'year' end as birth_date_precision,
    {{ text_date("substr(c.id_no, 7, 4) || '-' || substr(c.id_no, 11, 2) || '-' || substr(c.id_no, 13, 2)") }} as birth_date_by_number,
    chosen.hukou_district,
    chosen.managing_district,
    named.mention_count,
    named.source_systems
from {{ source('identity', 'citizens') }} as c
inner join named on c.citizen_id = named.citizen_id
left join chosen on c.citizen_id = chosen.citizen_id
