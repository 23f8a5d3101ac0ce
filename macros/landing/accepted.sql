{# The records of a base model that count: accepted, and the one of its duplicates that stands. #}
{% macro accepted(base) %}
select * exclude (rejection_reason, is_duplicate, rejected_record)
from {{ base }}
where rejection_reason is null and not is_duplicate
{% endmacro %}
