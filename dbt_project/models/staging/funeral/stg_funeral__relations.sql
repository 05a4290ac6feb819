-- One row per certificate that names who arranged the funeral: the handler is the relation of the deceased.
with handled as (

    select
        cremations.source_record_id,
        cremations.is_void,
        {{ fold_code('cremations.handler_relation') }} as relation_word
    from {{ ref('stg_funeral__cremations') }} as cremations
    where {{ names_somebody('handler_name', 'handler_id_no') }}

),

related as (

    select
        'funeral/cremations/' || handled.source_record_id || '/deceased' as mention_key,
        'funeral/cremations/' || handled.source_record_id || '/handler' as related_mention_key,
        coalesce(words.relation, 'contact') as relation,
        cast(null as date) as valid_from,
        cast(null as date) as valid_to,
        handled.is_void as is_withdrawn,
        'funeral' as source_system
    from handled
    left join {{ ref('relation_words') }} as words on handled.relation_word = words.word

)

select {{ shape_columns('relations') }}
from related
