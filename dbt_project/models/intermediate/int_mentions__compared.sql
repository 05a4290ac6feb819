-- One row per folded mention of a citizen who is not of one voice, with a mark per kind of statement: takes_<attribute> is
-- true where it is the chosen one, false where it says the same as the chosen one, and empty where values compete.
--
-- Values compete (int_statements__competing) where a citizen's mentions say different things, where several telephones
-- stand in one record, and where one source table says something of a citizen in several ways and has to be folded again.
-- Elsewhere all say the same, and only the carrier is looked for: the first by withdrawal, trust, the day it speaks of, the
-- day it was seen, then by the record, as in the competition. is_alone_in_system: the only row of its citizen and source
-- system, with one telephone at most, so that its identifiers need no gathering.
{% set kinds = statement_kinds() %}
{% set attributes = kinds | map(attribute='attribute') | unique | list %}
with several as (

    select *
    from {{ ref('int_mentions__folded') }}
    where not is_of_one_voice

),

in_several_ways as (

    select distinct citizen_id
    from (
        select citizen_id
        from several
        group by citizen_id, source_system, source_table, role, is_withdrawn
        having count(*) > 1
    ) as repeated

),

in_system as (

    select citizen_id, source_system, count(*) as row_count
    from several
    group by citizen_id, source_system

),

numbered as (

    select
        several.*,
        s.row_count = 1 and coalesce({{ element_count('phones') }}, 0) <= 1 as is_alone_in_system,
        w.citizen_id is not null as is_in_several_ways,
        row_number() over (
            partition by several.citizen_id
            order by
                coalesce(said_on, {{ far_past() }}) desc, coalesce(seen_to, {{ far_past() }}) desc, several.source_system,
                source_table, source_record_id, role
        ) as place
    from several
    left join in_several_ways as w on several.citizen_id = w.citizen_id
    inner join in_system as s on several.citizen_id = s.citizen_id and several.source_system = s.source_system

),

compared as (

    select
        citizen_id,
        {%- for attribute in attributes %}
        {%- set smallest, largest, first = [], [], [] %}
        {%- for kind in kinds if kind.attribute == attribute %}
        {%- do smallest.append('min(case when ' ~ kind.present ~ ' is not null then ' ~ kind.value ~ ' end)') %}
        {%- do largest.append('max(case when ' ~ kind.present ~ ' is not null then ' ~ kind.value ~ ' end)') %}
        {%- do first.append('min(case when ' ~ kind.present ~ ' is not null then ' ~ statement_place(kind) ~ ' end)') %}
        {%- endfor %}
        {{ least_of(smallest) }} = {{ greatest_of(largest) }}
        {%- if attribute == 'phone' %} and max({{ element_count('phones') }}) = 1 {% endif %} as is_undisputed_{{ attribute }},
        {{ least_of(first) }} as first_{{ attribute }}{{ ',' if not loop.last }}
        {%- endfor %}
    from numbered
    group by citizen_id

)

select
    v.citizen_id, v.source_system, v.source_table, v.role, v.is_withdrawn, v.trust_place, v.name, v.sex, v.id_no,
    v.other_document_no, v.certificate_id_no, v.phones, v.address, v.hukou_district, v.managing_district, v.bank_account,
    v.birth_date, v.birth_date_precision, v.has_own_number, v.has_repaired_name, v.has_repaired_address, v.record_count, v.said_on, v.source_record_id, v.seen_from,
    v.seen_to, v.is_alone_in_system,
    {%- for kind in kinds %}
    case when c.is_undisputed_{{ kind.attribute }} and not v.is_in_several_ways then {{ statement_place(kind) }} = c.first_{{ kind.attribute }} end as {{ kind.mark }}{{ ',' if not loop.last }}
    {%- endfor %}
from numbered as v
inner join compared as c on v.citizen_id = c.citizen_id
