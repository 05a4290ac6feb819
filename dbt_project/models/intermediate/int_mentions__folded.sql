-- One row per citizen, source table, role and way in which its mentions state everything: equal mentions folded into one.
--
-- Monthly files repeat themselves; the record is the one that stated it last, and every single record stays reachable by
-- citizen_mentions. A value that some of its records wrote with a private-use leftover, which was repaired, says so.
-- is_of_one_voice: this is the citizen's only row, and it contradicts itself in nothing, so that nothing competes: two
-- citizens in three. What the others say is compared in int_mentions__compared.
with linked as (

    select
        l.citizen_id,
        m.source_system, m.source_table, m.role,
        coalesce(m.is_withdrawn, false) as is_withdrawn,
        case
            when m.id_no is not null and l.is_certain then 1
            when m.other_document_no is not null then 2
            else 3
        end as trust_place,
        m.name, m.sex, m.id_no, m.other_document_no, m.certificate_id_no, m.phones, m.address,
        m.hukou_district, m.managing_district, m.bank_account, m.birth_date, m.birth_date_precision,
        m.is_name_repaired, m.is_address_repaired, l.is_certain, m.source_record_id, m.said_on, m.seen_at
    from {{ ref('int_mentions__unioned') }} as m
    inner join {{ source('identity', 'mention_links') }} as l on m.mention_key = l.mention_key
    where l.citizen_id is not null

),

folded as (

    select
        citizen_id, source_system, source_table, role, is_withdrawn, trust_place, name, sex, id_no, other_document_no,
        certificate_id_no, phones, address, hukou_district, managing_district, bank_account, birth_date,
        birth_date_precision,
        max(case when is_name_repaired then 1 else 0 end) = 1 as has_repaired_name,
        max(case when is_address_repaired then 1 else 0 end) = 1 as has_repaired_address,
        count(*) as record_count,
        max(case when is_certain then 1 else 0 end) = 1 as has_certain_link,
        max(said_on) as said_on,
        {{ last_of('source_record_id', 'said_on') }} as source_record_id,
        min(cast(seen_at as date)) as seen_from,
        max(cast(seen_at as date)) as seen_to
    from linked
    group by
        citizen_id, source_system, source_table, role, is_withdrawn, trust_place, name, sex, id_no, other_document_no,
        certificate_id_no, phones, address, hukou_district, managing_district, bank_account, birth_date,
        birth_date_precision

),

-- What is asked of a citizen is gathered first, so that the wide rows meet one narrow table.
voices as (

    select ways.citizen_id, ways.way_count, c.id_no
    from (select citizen_id, count(*) as way_count from folded group by citizen_id) as ways
    inner join {{ source('identity', 'citizens') }} as c on ways.citizen_id = c.citizen_id

)

select
    f.*,
    f.id_no = v.id_no as has_own_number,
    v.way_count = 1
        and coalesce({{ element_count('f.phones') }}, 0) <= 1
        and coalesce({{ date_text('f.birth_date', 'f.birth_date_precision') }} = {{ birth_text_in('f.id_no') }}, true)
        and coalesce(f.sex = {{ sex_in('f.id_no') }}, true) as is_of_one_voice
from folded as f
inner join voices as v on f.citizen_id = v.citizen_id
