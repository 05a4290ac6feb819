{# The id under which a recipient of hand-overs knows a citizen: keyed HMAC-SM3, one key per recipient. #}
{% macro pseudonym_for(recipient, citizen) -%} {{ return(adapter.dispatch('pseudonym_for')(recipient, citizen)) }} {%- endmacro %}

{% macro duckdb__pseudonym_for(recipient, citizen) -%} recipient_pseudonym('{{ recipient }}', {{ citizen }}) {%- endmacro %}
