-- One row per benefit, name and number under which a payment that counts was made, district and citizen (none where
-- identity could not tell the payee).
--
-- district: the statutory one, also where a zone on its land pays. is_known_elsewhere: records other than payments name
-- the citizen too; a payee whom only payments know may be anybody of the name, paid under a relative's number.
with payment_tables as (

    select distinct source_system, source_table from {{ ref('int_payments__unioned') }}

),

-- Records of a table of payments that are no payments.
other_records as (

    select mention_key
    from {{ ref('int_mentions__unioned') }}
    where not coalesce(is_withdrawn, false)
        and (source_system, source_table) in (select source_system, source_table from payment_tables)
        and mention_key not in (
            select mention_key from {{ ref('int_payments__unioned') }} where mention_key is not null
        )

),

named as (

    select distinct
        p.benefit,
        m.name,
        m.id_no,
        coalesce(z.statutory_district, p.managing_district) as district,
        p.citizen_id
    from {{ ref('int_benefit_months__expanded') }} as p
    inner join {{ ref('int_mentions__unioned') }} as m on p.mention_key = m.mention_key
    left join {{ ref('zone_lands') }} as z on p.managing_district = z.zone_district
    where m.name is not null

),

known_elsewhere as (

    select citizen_id
    from {{ ref('int_mentions__folded') }}
    where not is_withdrawn
        and citizen_id in (select citizen_id from named)
        and (source_system, source_table) not in (select source_system, source_table from payment_tables)

    union

    select citizen_id
    from {{ source('identity', 'mention_links') }}
    where citizen_id in (select citizen_id from named)
        and mention_key in (select mention_key from other_records)

)

select named.*, k.citizen_id is not null as is_known_elsewhere
from named
left join known_elsewhere as k on named.citizen_id = k.citizen_id
