{# Holds that no two rows share the values of the columns; null counts as a value. #}
{% test unique_together(model, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as n_rows
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
