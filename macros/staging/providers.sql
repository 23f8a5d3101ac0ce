{#
    Joins who a name means: by the seed of aliases another, else itself. A person decided each alias;
    nothing is merged by likeness.
#}
{% macro known_provider(column) -%}
    left join (
        select {{ parse_name('alias') }} as alias_id, {{ parse_name('provider_name') }} as provider_id
        from {{ ref('provider_aliases') }}
    ) as provider_aliases
        on {{ parse_name(column) }} = provider_aliases.alias_id
{%- endmacro %}


{# The identifier of a provider who has none but a name: after `known_provider`. #}
{% macro provider_id_of(column) -%}
    coalesce(provider_aliases.provider_id, {{ parse_name(column) }})
{%- endmacro %}


{# A word as its seed writes it, or as it came where the seed does not know it: an open list. #}
{% macro known_or_own(seed, column, options) -%}
    coalesce({{ seed }}.{{ column.split('.')[-1] }}, {{ parse_word(respelled(column, seed, options)) }})
{%- endmacro %}
