{#
    Hooks around a model whose table only this run and the next day read: its texts are kept as they are. Finding out how to
    compress keys that hardly repeat takes longer than writing them does. Nothing to say where an engine compresses by itself.
#}
{% macro keep_texts_plain() -%} {{ return(adapter.dispatch('keep_texts_plain')()) }} {%- endmacro %}

{% macro default__keep_texts_plain() -%} {%- endmacro %}

{% macro duckdb__keep_texts_plain() -%} set disabled_compression_methods = 'dict_fsst' {%- endmacro %}


{% macro compress_texts() -%} {{ return(adapter.dispatch('compress_texts')()) }} {%- endmacro %}

{% macro default__compress_texts() -%} {%- endmacro %}

{% macro duckdb__compress_texts() -%} reset disabled_compression_methods {%- endmacro %}
