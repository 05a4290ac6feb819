-- One row per citizen, attribute, value, source table and role that states it: a statement, seen from and to.
--
-- The same value stated again by the same table (a monthly file, a next registration) is the same statement seen again;
-- the record is the one that stated it last. Every single record stays reachable by citizen_mentions. Values inside a
-- sound identity number (birth date, sex) are statements of their own, origin 'identity_number'. A value that some of its
-- records wrote with a private-use leftover, which was repaired, says so.
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
        m.is_name_repaired, m.is_address_repaired,
        m.id_no = c.id_no as has_own_number,
        m.source_record_id, m.said_on, m.seen_at
    from {{ ref('int_mentions__unioned') }} as m
    inner join {{ source('identity', 'mention_links') }} as l on m.mention_key = l.mention_key
    inner join {{ source('identity', 'citizens') }} as c on l.citizen_id = c.citizen_id

),

-- Monthly files repeat themselves: fold equal mentions before taking them apart.
folded as (

    select
        citizen_id, source_system, source_table, role, is_withdrawn, trust_place, name, sex, id_no, other_document_no,
        certificate_id_no, phones, address, hukou_district, managing_district, bank_account, birth_date,
        birth_date_precision, has_own_number,
        max(case when is_name_repaired then 1 else 0 end) = 1 as has_repaired_name,
        max(case when is_address_repaired then 1 else 0 end) = 1 as has_repaired_address,
        count(*) as record_count,
        max(said_on) as said_on,
        {{ last_of('source_record_id', 'said_on') }} as source_record_id,
        min(cast(seen_at as date)) as seen_from,
        max(cast(seen_at as date)) as seen_to
    from linked
    group by
        citizen_id, source_system, source_table, role, is_withdrawn, trust_place, name, sex, id_no, other_document_no,
        certificate_id_no, phones, address, hukou_district, managing_district, bank_account, birth_date,
        birth_date_precision, has_own_number

),

-- What one table says of a citizen in one way only needs no second folding; telephones may stand in several rows.
said_in_one_way as (

    select citizen_id, source_system, source_table, role, is_withdrawn
    from folded
    group by citizen_id, source_system, source_table, role, is_withdrawn
    having count(*) = 1

),

marked as (

    select f.*, o.citizen_id is not null as is_one_way
    from folded as f
    left join said_in_one_way as o
        on f.citizen_id = o.citizen_id and f.source_system = o.source_system and f.source_table = o.source_table
        and f.role = o.role and f.is_withdrawn = o.is_withdrawn

),

in_one_way as (

    select * from marked where is_one_way

),

in_several_ways as (

    select * from marked where not is_one_way

),

to_fold as (

    {{ statements_in('in_several_ways') }}

    union all

    select
        citizen_id, 'phone', phone, 'stated', trust_place, 1,
        source_system, source_table, role, is_withdrawn, false, record_count, said_on, source_record_id, seen_from, seen_to
    from (
        select folded.*, {{ each_element('phones') }} as phone
        from folded
        where phones is not null
    ) as with_phones
    where phone is not null

)

select
    citizen_id,
    attribute,
    value,
    origin,
    source_system,
    source_table,
    role,
    is_withdrawn,
    min(trust_place) as trust_place,
    min(validity_place) as validity_place,
    max(case when is_repaired then 1 else 0 end) = 1 as is_repaired,
    sum(record_count) as record_count,
    {{ last_of('source_record_id', 'said_on') }} as source_record_id,
    max(said_on) as said_on,
    min(seen_from) as seen_from,
    max(seen_to) as seen_to
from to_fold
group by citizen_id, attribute, value, origin, source_system, source_table, role, is_withdrawn

union all

select
    citizen_id, attribute, value, origin, source_system, source_table, role, is_withdrawn, trust_place, validity_place,
    is_repaired, record_count, source_record_id, said_on, seen_from, seen_to
from (
    {{ statements_in('in_one_way') }}
) as unfolded
