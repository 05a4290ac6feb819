{#
    A name as published: the first character and a star for every further one (张**, 张*); of a Latin or dotted name the
    first letter of its first segment and two stars, so that not even its length is told.
#}
{% macro masked_name(name) -%}
    case
        when {{ name }} is null or {{ name }} = '' then null
        when {{ is_han_name(name) }}
            then substr({{ name }}, 1, 1) || case when length({{ name }}) > 1 then repeat('*', length({{ name }}) - 1) else '*' end
        else substr({{ name }}, 1, 1) || '**'
    end
{%- endmacro %}


{# Whether a standardised name consists of characters only: no dot between segments, no space, no Latin letter. #}
{% macro is_han_name(name) -%} {{ return(adapter.dispatch('is_han_name')(name)) }} {%- endmacro %}

{% macro duckdb__is_han_name(name) -%} not regexp_matches({{ name }}, '[A-Za-z·\s.''-]') {%- endmacro %}


{# An opaque, stable key from the given texts; absent ones count as empty. #}
{% macro opaque_key(parts) -%}
    md5({% for part in parts %}coalesce(cast({{ part }} as varchar), ''){{ " || '|' || " if not loop.last }}{% endfor %})
{%- endmacro %}
