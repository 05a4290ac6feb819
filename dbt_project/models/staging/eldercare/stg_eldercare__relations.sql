-- One row per elder with a named family contact: the contact is the relation of the elder.
with contacts as (

    select
        elders.mention_key,
        elders.source_record_id,
        elders.is_withdrawn,
        {{ fold_code('elders.contact_relation') }} as relation_word
    from {{ ref('stg_eldercare__elders') }} as elders
    where {{ names_somebody('contact_name') }}

),

related as (

    select
        contacts.mention_key,
        'eldercare/elder/' || contacts.source_record_id || '/contact' as related_mention_key,
        coalesce(words.relation, 'contact') as relation,
        cast(null as date) as valid_from,
        cast(null as date) as valid_to,
        contacts.is_withdrawn,
        'eldercare' as source_system
    from contacts
    left join {{ ref('relation_words') }} as words on contacts.relation_word = words.word

)

select {{ shape_columns('relations') }}
from related
