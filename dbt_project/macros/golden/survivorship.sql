{#
    Which statement of an attribute is chosen: the order in which statements compete, per attribute.

    trust       the value inside a sound identity number, then a record whose own sound number belongs to the citizen,
                then a record with another document, then the rest
    validity    a full date before a month before a year
    agreement   the value that more source systems, then more records, state
    recency     the value stated last: by the day the record speaks of, then by the day it was seen
    Withdrawn records compete last. Statements equal in all of these are a tie: the tie is marked, and the value that
    sorts first stands, so that the choice follows from content and not from chance.
#}
{% macro survivorship() -%}
    {{ return({
        'name': ['trust', 'agreement', 'recency'],
        'sex': ['trust', 'agreement', 'recency'],
        'birth_date': ['trust', 'validity', 'agreement', 'recency'],
        'id_no': ['trust', 'agreement', 'recency'],
        'other_document_no': ['agreement', 'recency'],
        'certificate_id_no': ['agreement', 'recency'],
        'hukou_district': ['recency', 'agreement'],
        'managing_district': ['recency', 'agreement'],
        'phone': ['recency', 'agreement'],
        'address': ['recency', 'agreement'],
        'bank_account': ['recency', 'agreement'],
    }) }}
{%- endmacro %}


{# The expressions to order by for one word of `survivorship`. #}
{% macro survivorship_order(word) -%}
    {{ return({
        'trust': ['trust_place'],
        'validity': ['validity_place'],
        'agreement': ['-agreeing_systems', '-agreeing_records'],
        'recency': ['coalesce(value_said_on, ' ~ far_past() ~ ') desc', 'coalesce(value_seen_to, ' ~ far_past() ~ ') desc'],
    }[word]) }}
{%- endmacro %}
