{#
    A folded text as a name to compare: dots of every kind are U+00B7, spaces inside a Han name are gone, a Latin name is
    upper case with single spaces. Most names are Han characters only and stand as they are. What surrounds a name (quotes, commas at its ends) is dropped.
#}
{% macro standardise_name(folded) -%}
    {%- set dotted = replace_pattern(folded, ' *[・•.‧∙⋅﹒·●᛫⸱] *', '·') -%}
    {%- set bare = replace_pattern(dotted, '^[ ·,、;:]+|[ ·,、;:]+$') -%}
    case
        when {{ has_pattern(folded, '^[一-鿿㐀-䶿]+$') }} then {{ folded }}
        when {{ has_pattern(folded, '\\p{Han}') }} then upper({{ replace_pattern(bare, ' +') }})
        else upper({{ replace_pattern(bare, ' +', ' ') }})
    end
{%- endmacro %}


{#
    A standardised name when it names a person who can be linked; null for words that name nobody (无名氏, 某某之婴, 无名尸,
    不详) and for texts without any letter. Private-use characters count as letters: they stand for a rare one.
#}
{% macro linkable_name(name) -%}
    case
        when {{ name }} is null or not {{ has_pattern(name, '[\\p{L}\\p{Co}]') }} then null
        when {{ has_pattern(name, '^无名|无名[氏尸男女]|某|之[男女大小双死长次幼弃]?婴|^弃婴|^[男女死弃]婴') }} then null
        else {{ drop_empty_words(name) }}
    end
{%- endmacro %}
