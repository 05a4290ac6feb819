-- One row per institution.
with institutions as (

    select
        institutions._source_record_id as institution_id,
        {{ fold_code('institutions.name') }} as institution_name,
        {{ current_district('institutions.district', 'retired') }} as managing_district,
        institutions.licensed_beds,
        institutions.ownership,
        cast(institutions.is_deleted as integer) = 1 as is_withdrawn,
        'eldercare' as source_system
    from {{ source('landing', 'eldercare__institution') }} as institutions
    left join {{ ref('retired_areas') }} as retired on institutions.district = retired.retired_area

)

select {{ shape_columns('institutions') }}
from institutions
