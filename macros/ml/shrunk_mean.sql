{#
    Mean of n values, shrunk towards a prior as if the prior had been seen `weight` times (Efron and
    Morris 1975). No weight means that the values say nothing beyond the prior.
#}
{% macro shrunk_mean(total, n, prior, weight) -%}
    {{ prior }} + case
        when {{ n }} > 0 and {{ weight }} is not null
            then {{ n }} / ({{ n }} + {{ weight }}) * ({{ total }} / {{ n }} - {{ prior }})
        else 0
    end
{%- endmacro %}
