{# Generic test: none of the columns is ever empty. One query for a whole table instead of one per column. #}
{% test never_empty(model, columns) %}
select
    {% for column in columns %}{{ column }}{{ ', ' if not loop.last }}{% endfor %}
from {{ model }}
where {% for column in columns %}{{ column }} is null{{ ' or ' if not loop.last }}{% endfor %}
{% endtest %}
