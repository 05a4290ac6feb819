-- One row per citizen who is named by at least one mention: the chosen value of each attribute, the
-- birth date, and the source systems that know the citizen by a record that was not withdrawn.
{% set described = ['name', 'sex', 'birth_date', 'hukou_district', 'managing_district'] %}
with named as (

    select
        citizen_id,
        name,
        case when sex is not null then sex when id_no is not null then {{ sex_in('id_no') }} end as sex,
        coalesce({{ date_text('birth_date', 'birth_date_precision') }}, {{ birth_text_in('id_no') }}) as birth_text,
        hukou_district,
        managing_district,
        record_count as mention_count,
        has_certain_link,
        {{ one_or_none('source_system', 'not is_withdrawn') }} as source_systems
    from {{ ref('int_mentions__folded') }}
    where is_of_one_voice

    union all

    select
        counted.citizen_id,
        {%- for attribute in described %}
        coalesce(agreed.{{ attribute }}, won.{{ attribute }}){{ ' as birth_text' if attribute == 'birth_date' }},
        {%- endfor %}
        counted.mention_count,
        counted.has_certain_link,
        counted.source_systems
    from (
        select
            citizen_id,
            sum(record_count) as mention_count,
            max(case when has_certain_link then 1 else 0 end) = 1 as has_certain_link,
            {{ sorted_distinct('source_system', 'not is_withdrawn') }} as source_systems
        from {{ ref('int_mentions__folded') }}
        where not is_of_one_voice
        group by citizen_id
    ) as counted
    left join (
        select
            citizen_id,
            {%- for attribute in described %}
            max(case
                {%- for kind in statement_kinds() if kind.attribute == attribute %} when {{ kind.mark }} then {{ kind.value }}{% endfor %} end) as {{ attribute }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ ref('int_mentions__compared') }}
        group by citizen_id
    ) as agreed on counted.citizen_id = agreed.citizen_id
    left join (
        select
            citizen_id,
            {%- for attribute in described %}
            max(case when attribute = '{{ attribute }}' then value end) as {{ attribute }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ ref('int_statements__judged') }}
        where is_chosen
        group by citizen_id
    ) as won on counted.citizen_id = won.citizen_id

)

select
    c.citizen_id,
    c.id_no,
    c.identity_confidence,
    named.name,
    named.sex,
    {{ text_date('named.birth_text') }} as birth_date,
    case length(named.birth_text) when 10 then 'day' when 7 then 'month' when 4 then 'year' end as birth_date_precision,
    {{ text_date(birth_text_in('c.id_no')) }} as birth_date_by_number,
    named.hukou_district,
    named.managing_district,
    cast(named.mention_count as bigint) as mention_count,
    named.has_certain_link,
    named.source_systems
from {{ source('identity', 'citizens') }} as c
inner join named on c.citizen_id = named.citizen_id
