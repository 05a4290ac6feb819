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


{# The whole numbers to order by, smallest first, for one word of `survivorship`. #}
{% macro survivorship_order(word) -%}
    {{ return({
        'trust': ['trust_place'],
        'validity': ['validity_place'],
        'agreement': ['-agreeing_systems', '-agreeing_records'],
        'recency': ['-said_day', '-seen_day'],
    }[word]) }}
{%- endmacro %}


{# The order of one attribute, as a list of expressions: as many for every attribute, so that they fit one sorting. #}
{% macro survivorship_keys(attribute) -%}
    {%- set keys = [] -%}
    {%- for word in survivorship()[attribute] -%}{%- do keys.extend(survivorship_order(word)) -%}{%- endfor -%}
    {{ return((keys + ['0', '0', '0', '0', '0', '0'])[:6]) }}
{%- endmacro %}


{# The rule of a row's attribute in words. #}
{% macro survivorship_rule() -%}
    case attribute {% for attribute, words in survivorship().items() %} when '{{ attribute }}' then '{{ words | join(", ") }}' {% endfor %} end
{%- endmacro %}


{# A number that is the smaller, the later a date is; no date counts as the earliest. #}
{% macro backwards(date) -%} -coalesce({{ dbt.datediff(far_past(), date, 'day') }}, 0) {%- endmacro %}


{# The values of the row of a group that comes first in the order of the given expressions, as a structure of those that are columns. #}
{% macro first_by(expressions) -%} {{ return(adapter.dispatch('first_by')(expressions)) }} {%- endmacro %}

{% macro duckdb__first_by(expressions) -%}
    min(struct_pack({% for expression in expressions %}{{ expression if '(' not in expression else 'key_' ~ loop.index }} := {{ expression }}{{ ', ' if not loop.last }}{% endfor %}))
{%- endmacro %}
