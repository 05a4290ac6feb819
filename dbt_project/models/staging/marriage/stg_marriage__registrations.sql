-- One row per registration act, with the office's code of today.
{{ config(materialized='view') }}

with registrations as (

    select * from {{ source('landing', 'marriage__registration') }}

),

folded as (

    select
        registrations.*,
        {{ fold_code('dept_code') }} as folded_office
    from registrations

)

select
    folded._source_record_id as source_record_id,
    folded.op_type as act_code,
    cast(folded.op_date as date) as act_on,
    {{ standardise_reference_no('folded.cert_no') }} as certificate_no,
    {{ standardise_reference_no('folded.ref_cert_no') }} as refers_to_no,
    coalesce(retired.district, substr(folded.folded_office, 1, 6)) as office_district,
    folded.name_man,
    folded.cert_type_man,
    folded.cert_num_man,
    folded.birth_man,
    folded.reg_addr_man,
    folded.phone_man,
    folded.marital_man,
    folded.name_woman,
    folded.cert_type_woman,
    folded.cert_num_woman,
    folded.birth_woman,
    folded.reg_addr_woman,
    folded.phone_woman,
    folded.marital_woman,
    folded.updated_at,
    folded._delivery_id as delivery_id
from folded
left join {{ ref('retired_areas') }} as retired
    on substr(folded.folded_office, 1, 6) = retired.retired_area
