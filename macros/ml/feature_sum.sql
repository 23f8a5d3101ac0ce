{# Sum of the columns that begin with a prefix and end with a feature's name, in their order. #}
{% macro feature_sum(prefix, features) -%}
    {%- for feature in features %}
    {{ '+ ' if not loop.first }}{{ prefix }}{{ feature }}
    {%- endfor %}
{%- endmacro %}
