-- One row per marriage (act_key) and spouse who is a known citizen.
--
-- A marriage is stated by its registration. A re-issued certificate restates one: where the registration is not in any
-- silo (another province, before the records begin) it stands for it, with is_restated, dated "not later than".
with registered as (

    select * from {{ ref('int_acts__linked') }} where event_type = 'marriage'

),

reissued as (

    select
        a.*,
        row_number() over (
            partition by a.citizen_id, coalesce(a.couple_key, a.refers_to_no, a.act_key)
            order by coalesce(a.event_date, {{ far_past() }}), a.act_key
        ) as place
    from {{ ref('int_acts__linked') }} as a
    where a.act_code = 'ICA'
        and not exists (
            select 1 from registered as r
            where r.couple_key = a.couple_key
                and coalesce(r.event_date, {{ far_past() }}) <= coalesce(a.event_date, {{ far_future() }})
        )
        and not exists (
            select 1 from registered as r
            where r.citizen_id = a.citizen_id and r.certificate_no = a.refers_to_no
        )

)

select
    act_key, citizen_id, partner_citizen_id, couple_key, event_date as married_on, certificate_no, false as is_restated,
    is_certain, source_system, source_table, source_record_id
from registered

union all

select
    act_key, citizen_id, partner_citizen_id, couple_key, event_date as married_on, refers_to_no as certificate_no,
    true as is_restated, is_certain, source_system, source_table, source_record_id
from reissued
where place = 1
