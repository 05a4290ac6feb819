{# Words that people type where they know nothing. Compared after folding and in upper case. #}
{% macro empty_words() -%}
    {{ return([
        '无', '不详', '不祥', '未知', '不明', '不清', '空', '暂无', '没有', '未填', '未填写', '未登记', '未提供', '待补', '待查', '待核实',
        '无证', '无证件', '无身份证', '无号码', '无户口', '无电话', '同上', '身份不明', '佚名', '未取名', '未命名',
        '/', '//', '\\', '-', '--', '---', '—', '——', '.', '*', '**', '***', '?', '??', '0', 'NULL', 'NONE', 'NAN', 'N/A', 'NA', '#N/A'
    ]) }}
{%- endmacro %}

{# The text, or null when it is one of the empty words, of which none is longer than six characters. #}
{% macro drop_empty_words(text) -%}
    case when length({{ text }}) <= 6 then
        case when upper({{ text }}) in ({% for word in empty_words() %}'{{ word }}'{{ ', ' if not loop.last }}{% endfor %}) then null else {{ text }} end
    else {{ text }} end
{%- endmacro %}
