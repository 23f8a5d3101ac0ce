{#
    The records of a base model that count: accepted, and the one of its duplicates that counts; of
    these those that a further `where` keeps.
#}
{% macro accepted(base, where='') %}
select * exclude (key_hash, rejection_reason, is_duplicate, rejected_record)
from {{ base }}
{{ where ~ ' and' if where else 'where' }} rejection_reason is null and not is_duplicate
{% endmacro %}
