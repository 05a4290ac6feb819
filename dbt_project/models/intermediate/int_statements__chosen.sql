-- One row per citizen and attribute: the chosen value, the statement that carries it, and the rule that chose it.
{% set rules = survivorship() %}
with standing as (

    select s.*, case when is_withdrawn then 1 else 0 end as withdrawn_place
    from {{ ref('int_statements__gathered') }} as s

),

valued as (

    select
        citizen_id,
        attribute,
        value,
        min(withdrawn_place) as withdrawn_place,
        min(trust_place) as trust_place,
        min(validity_place) as validity_place,
        count(distinct case when withdrawn_place = 0 then source_system end) as agreeing_systems,
        sum(case when withdrawn_place = 0 then record_count else 0 end) as agreeing_records,
        max(case when withdrawn_place = 0 then said_on end) as value_said_on,
        max(case when withdrawn_place = 0 then seen_to end) as value_seen_to
    from standing
    group by citizen_id, attribute, value

),

ranked as (

    {% for attribute, words in rules.items() %}
    {%- set order = [] -%}
    {%- for word in words %}{% do order.extend(survivorship_order(word)) %}{% endfor %}
    select
        valued.*,
        '{{ words | join(", ") }}' as chosen_rule,
        row_number() over (partition by citizen_id order by withdrawn_place, {{ order | join(', ') }}, value) as place,
        rank() over (partition by citizen_id order by withdrawn_place, {{ order | join(', ') }}) as shared_place
    from valued
    where attribute = '{{ attribute }}'
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

tied as (

    select
        ranked.*,
        sum(case when shared_place = 1 then 1 else 0 end) over (partition by citizen_id, attribute) as first_places
    from ranked

),

carriers as (

    select
        s.*,
        row_number() over (
            partition by s.citizen_id, s.attribute, s.value
            order by
                s.withdrawn_place, s.trust_place, coalesce(s.said_on, {{ far_past() }}) desc,
                coalesce(s.seen_to, {{ far_past() }}) desc, s.source_system, s.source_table, s.source_record_id, s.role
        ) as place
    from standing as s

)

select
    tied.citizen_id,
    tied.attribute,
    tied.value,
    tied.first_places > 1 as is_tied,
    case
        when carriers.origin = 'identity_number' then 'identity number'
        else tied.chosen_rule
    end as chosen_rule,
    carriers.origin,
    carriers.source_system,
    carriers.source_table,
    carriers.source_record_id,
    carriers.role,
    carriers.is_withdrawn
from tied
inner join carriers
    on tied.citizen_id = carriers.citizen_id
    and tied.attribute = carriers.attribute
    and tied.value = carriers.value
    and carriers.place = 1
where tied.place = 1
