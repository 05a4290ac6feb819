{#
    Text as it is compared: Unicode compatibility form (NFKC), private-use leftovers of GBK repaired by the known map, other
    private-use characters kept, invisible characters removed, every kind of white space one plain space, trimmed; null
    when nothing remains. Two seeds hold the tables of characters.

    `fold_texts` is a select that adds to `relation` one column per entry of `columns` (new name: column to fold). Almost
    every text of a register is plain ASCII and common Han, which needs nothing but a trim, or has full-width ASCII besides,
    which a translation mends: only rows with other characters go through the tables, all their columns in one text.
#}
{% macro fold_texts(relation, columns) -%} {{ return(adapter.dispatch('fold_texts')(relation, columns)) }} {%- endmacro %}

{% macro duckdb__fold_texts(relation, columns) -%}
    {%- set separator = 'chr(31)' -%}
    select
        bound.* exclude (bound_text, folded_text),
        {%- for folded, written in columns.items() %}
        nullif(trim(case
            when bound.bound_text is not null then split_part(bound.folded_text, {{ separator }}, {{ loop.index }})
            else {{ duckdb__narrow_text('bound.' ~ written) }}
        end), '') as {{ folded }}{{ ',' if not loop.last }}
        {%- endfor %}
    from (
        select
            odd.*,
            (
                select {{ duckdb__canonical_text("string_agg(coalesce(folds.plain, written.piece), '' order by written.place)") }}
                from (
                    select
                        unnest(string_split(odd.bound_text, '')) as piece,
                        generate_subscripts(string_split(odd.bound_text, ''), 1) as place
                ) as written
                left join {{ duckdb__character_folds() }} as folds on written.piece = folds.written
            ) as folded_text
        from (
            select
                given.*,
                case when {% for written in columns.values() %}{{ 'or ' if not loop.first }}{{ duckdb__is_odd_text('given.' ~ written) }} {% endfor %} then
                    {%- for written in columns.values() %}
                    {{ "|| " ~ separator ~ " || " if not loop.first }}replace(coalesce(given.{{ written }}, ''), {{ separator }}, '')
                    {%- endfor %}
                end as bound_text
            from {{ relation }} as given
        ) as odd
    ) as bound
{%- endmacro %}

{# True for a text with a character beyond plain ASCII, its full-width forms and common Han. #}
{% macro duckdb__is_odd_text(text) -%}
    coalesce(regexp_matches({{ text }}, '[^ -~一-\x{9fa5}㐀-\x{4db5}·！-～　]'), false)
{%- endmacro %}

{# True for a text with a private-use leftover that the known map repairs; false for none. #}
{% macro has_repaired_character(text) -%} {{ return(adapter.dispatch('has_repaired_character')(text)) }} {%- endmacro %}

{% macro duckdb__has_repaired_character(text) -%}
    coalesce(regexp_matches({{ text }}, '[\x{e815}-\x{e864}]'), false)
{%- endmacro %}

{# Full-width ASCII narrowed; most texts have none and pay for one look. #}
{% macro duckdb__narrow_text(text) -%}
    case when regexp_matches({{ text }}, '[！-～　]') then translate({{ text }}, '{{ wide_characters() }}', '{{ narrow_characters() }}') else {{ text }} end
{%- endmacro %}

{# Invisible characters removed, white space made plain, the canonical form taken. #}
{% macro duckdb__canonical_text(text) -%}
    nfc_normalize(regexp_replace(regexp_replace(
        {{ text }},
        '[\x{0}-\x{8}\x{e}-\x{1e}\x{7f}-\x{84}\x{86}-\x{9f}\x{ad}\x{180e}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2064}\x{2066}-\x{206f}\x{fe00}-\x{fe0f}\x{feff}\x{e0100}-\x{e01ef}]', '', 'g'
    ), '[\s\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]', ' ', 'g'))
{%- endmacro %}

{# Both tables of characters: what is written, what it stands for. #}
{% macro duckdb__character_folds() -%}
    (
        select
            chr(cast('0x' || code_point as integer)) as written,
            array_to_string(list_transform(
                string_split(plain_code_points, ' '), lambda point: chr(cast('0x' || point as integer))
            ), '') as plain
        from {{ ref('compatibility_characters') }}
        union all
        select chr(cast('0x' || code_point as integer)), chr(cast('0x' || standard_code_point as integer))
        from {{ ref('private_use_characters') }}
    )
{%- endmacro %}


{#
    A code, a number or a fixed word: full-width ASCII narrowed, white space around it removed; null when nothing remains.
    Cheap, and enough where no free text is expected.
#}
{% macro fold_code(text) -%} {{ return(adapter.dispatch('fold_code')(text)) }} {%- endmacro %}

{% macro duckdb__fold_code(text) -%}
    nullif(trim({{ duckdb__narrow_text(text) }}, ' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(65279)), '')
{%- endmacro %}


{# True when a text holds anything that can be seen. #}
{% macro has_visible_text(text) -%} {{ return(adapter.dispatch('has_visible_text')(text)) }} {%- endmacro %}

{% macro duckdb__has_visible_text(text) -%}
    coalesce(regexp_matches({{ text }}, '[^\s\x{a0}\x{200b}-\x{200f}\x{3000}\x{feff}]'), false)
{%- endmacro %}


{# Full-width ASCII and the ideographic space, and what they stand for, as the bodies of two SQL literals. #}
{% macro wide_characters() -%}
    {{ '%c' % 12288 }}{% for point in range(65281, 65375) %}{{ '%c' % point }}{% endfor %}
{%- endmacro %}

{% macro narrow_characters() -%}
    {{ ' ' }}{% for point in range(33, 127) %}{{ "''" if point == 39 else '%c' % point }}{% endfor %}
{%- endmacro %}


{# Code of the first character of a text. #}
{% macro code_of(character) -%} {{ return(adapter.dispatch('code_of')(character)) }} {%- endmacro %}

{% macro duckdb__code_of(character) -%} ascii({{ character }}) {%- endmacro %}


{# A JSON object as text from a mapping of names to expressions. #}
{% macro json_object_text(fields) -%} {{ return(adapter.dispatch('json_object_text')(fields)) }} {%- endmacro %}

{% macro duckdb__json_object_text(fields) -%}
    cast(json_object({% for name, value in fields.items() %}'{{ name }}', {{ value }}{{ ', ' if not loop.last }}{% endfor %}) as varchar)
{%- endmacro %}


{# A value in another type, null where it cannot be: dbt's own safe_cast is a plain cast on some engines and would stop. #}
{% macro cast_or_null(expression, type) -%} {{ return(adapter.dispatch('cast_or_null')(expression, type)) }} {%- endmacro %}

{% macro duckdb__cast_or_null(expression, type) -%} try_cast({{ expression }} as {{ type }}) {%- endmacro %}
