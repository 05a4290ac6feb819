-- Payments that count, member rows, standing stays and standing visits reach golden, each exactly once.
with counts as (

    select 'member rows' as fact, (select count(*) from {{ ref('int_household_members__unioned') }}) as handed_over,
        (select count(*) from {{ ref('household_members') }}) as published
    union all
    select 'bed stays', (select count(*) from {{ ref('int_bed_stays__unioned') }} where not coalesce(is_withdrawn, false)),
        (select count(*) from {{ ref('bed_stays') }})
    union all
    select 'care visits', (select count(*) from {{ ref('int_care_visits__unioned') }} where not coalesce(is_withdrawn, false)),
        (select count(*) from {{ ref('care_visits') }})
    union all
    select 'households', (select count(*) from (select distinct household_key, household_month from {{ ref('int_household_months__unioned') }}) as h),
        (select count(*) from {{ ref('households') }})

)

select * from counts where handed_over <> published
