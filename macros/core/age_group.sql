{# The hospital's age groups, by age in whole years; null where the age is unknown. #}
{% macro age_group(age) -%}
    case
        when {{ age }} < 18 then 'Under 18'
        when {{ age }} < 35 then '18-34'
        when {{ age }} < 50 then '35-49'
        when {{ age }} < 65 then '50-64'
        when {{ age }} >= 65 then '65+'
    end
{%- endmacro %}
