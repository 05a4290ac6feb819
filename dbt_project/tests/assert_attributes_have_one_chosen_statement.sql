-- No attribute of a citizen has two chosen statements: neither among those of citizens whose mentions were compared, nor
-- because a citizen of one voice has a second folded mention.
select citizen_id, attribute
from (
    select citizen_id, attribute
    from ({{ statements_in(ref('int_mentions__compared'), where='MARK') }}) as undisputed

    union all

    select citizen_id, attribute from {{ ref('int_statements__judged') }} where is_chosen

    union all

    select citizen_id, attribute from {{ ref('int_states__stated') }} where is_chosen
) as chosen
group by citizen_id, attribute
having count(*) > 1

union all

select citizen_id, null
from {{ ref('int_mentions__folded') }}
group by citizen_id
having count(*) > 1 and max(case when is_of_one_voice then 1 else 0 end) = 1
