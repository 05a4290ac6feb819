-- One row per competing statement, with whether it is the chosen one of its attribute, and the rule that chose it.
--
-- The order in which statements compete stands in macros/golden/survivorship.sql, attribute by attribute. Where all
-- statements of an attribute say the same value after all, only its carrier is looked for.
{% set rules = survivorship() %}
with told as (

    select
        citizen_id,
        attribute,
        min(value) as value,
        min(value) = max(value) as is_undisputed,
        {{ first_by([
            'is_withdrawn', 'trust_place', backwards('said_on'), backwards('seen_to'), 'source_system', 'source_table',
            'source_record_id', 'role', 'origin'
        ]) }} as carrier
    from {{ ref('int_statements__competing') }}
    group by citizen_id, attribute

),

disputed as (

    select s.*
    from {{ ref('int_statements__competing') }} as s
    inner join told on s.citizen_id = told.citizen_id and s.attribute = told.attribute
    where not told.is_undisputed

),

by_system as (

    select
        citizen_id,
        attribute,
        value,
        source_system,
        min(case when is_withdrawn then 1 else 0 end) as withdrawn_place,
        min(trust_place) as trust_place,
        min(validity_place) as validity_place,
        sum(case when not is_withdrawn then record_count else 0 end) as agreeing_records,
        coalesce(max(case when not is_withdrawn then {{ dbt.datediff(far_past(), 'said_on', 'day') }} end), 0) as said_day,
        coalesce(max(case when not is_withdrawn then {{ dbt.datediff(far_past(), 'seen_to', 'day') }} end), 0) as seen_day
    from disputed
    group by citizen_id, attribute, value, source_system

),

valued as (

    select
        citizen_id,
        attribute,
        value,
        min(withdrawn_place) as withdrawn_place,
        min(trust_place) as trust_place,
        min(validity_place) as validity_place,
        sum(1 - withdrawn_place) as agreeing_systems,
        cast(sum(agreeing_records) as bigint) as agreeing_records,
        max(said_day) as said_day,
        max(seen_day) as seen_day
    from by_system
    group by citizen_id, attribute, value

),

keyed as (

    select
        citizen_id, attribute, value, withdrawn_place,
        {{ survivorship_rule() }} as chosen_rule,
        {% for place in range(6) %}
        case attribute {% for attribute in rules %} when '{{ attribute }}' then {{ survivorship_keys(attribute)[place] }} {% endfor %} end as key_{{ place }}{{ ',' if not loop.last }}
        {% endfor %}
    from valued

),

ranked as (

    select
        keyed.*,
        row_number() over competition as place,
        coalesce(
            lead(withdrawn_place) over competition = withdrawn_place
            {% for place in range(6) %} and lead(key_{{ place }}) over competition = key_{{ place }} {% endfor %},
            false
        ) as is_tied
    from keyed
    window competition as (
        partition by citizen_id, attribute
        order by withdrawn_place, {% for place in range(6) %} key_{{ place }}, {% endfor %} value
    )

),

carried as (

    select
        ranked.citizen_id,
        ranked.attribute,
        ranked.value,
        ranked.is_tied,
        case when s.origin = 'identity_number' then 'identity number' else ranked.chosen_rule end as chosen_rule,
        s.origin,
        s.source_system,
        s.source_table,
        s.source_record_id,
        s.role,
        s.is_withdrawn,
        row_number() over (
            partition by s.citizen_id, s.attribute
            order by
                s.is_withdrawn, s.trust_place, coalesce(s.said_on, {{ far_past() }}) desc,
                coalesce(s.seen_to, {{ far_past() }}) desc, s.source_system, s.source_table, s.source_record_id, s.role
        ) as carrier_place
    from ranked
    inner join disputed as s
        on ranked.citizen_id = s.citizen_id and ranked.attribute = s.attribute and ranked.value = s.value
    where ranked.place = 1

),

chosen as (

    select
        citizen_id, attribute, value, is_tied, chosen_rule, origin,
        source_system, source_table, role, is_withdrawn
    from carried
    where carrier_place = 1

    union all

    select
        citizen_id, attribute, value, false as is_tied,
        case when carrier.origin = 'identity_number' then 'identity number' else {{ survivorship_rule() }} end as chosen_rule,
        carrier.origin, carrier.source_system, carrier.source_table, carrier.role, carrier.is_withdrawn
    from told
    where is_undisputed

)

select
    s.*,
    c.citizen_id is not null as is_chosen,
    coalesce(c.is_tied, false) as is_tied,
    c.chosen_rule
from {{ ref('int_statements__competing') }} as s
left join chosen as c
    on s.citizen_id = c.citizen_id
    and s.attribute = c.attribute
    and s.value = c.value
    and s.origin = c.origin
    and s.source_system = c.source_system
    and s.source_table = c.source_table
    and s.role = c.role
    and s.is_withdrawn = c.is_withdrawn
