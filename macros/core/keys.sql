{#
    Deterministic surrogate key over the full grain: 60 bits of MD5, the same on every engine. In
    DuckDB concat takes null for an empty text.
#}
{% macro surrogate_key(parts) -%}
    ('0x' || substr(md5(concat({{ parts | join(', chr(31), ') }})), 1, 15))::bigint
{%- endmacro %}


{# Key of a person or place in its conformed dimension: who issued the identifier, and the identifier. #}
{% macro member_key(source_system, entity, identifier) -%}
    {{ surrogate_key([assigning_authority(source_system, entity), identifier]) }}
{%- endmacro %}


{#
    The members of a conformed dimension that an area knows of. The authority would not tell them apart:
    areas that share one have members of their own all the same.
#}
{% macro area_members(area, entity) -%}
    select * from {{ ref('dim_' ~ entity) }}
    where {{ entity }}_key in (select {{ entity }}_key from {{ ref(area ~ '_' ~ entity ~ 's') }})
{%- endmacro %}


{# Who issues the identifiers that a source uses for an entity (HL7's assigning authority). #}
{% macro assigning_authority(source_system, entity) -%}
    (
        select source_systems.assigning_authority
        from {{ ref('source_systems') }} as source_systems
        where
            source_systems.source_system = '{{ source_system }}'
            and source_systems.entity = '{{ entity }}'
    )
{%- endmacro %}


{# MD5 of a record's content, for records that name no identifier; null and blank differ. #}
{% macro content_hash(parts) -%}
    md5(
        {%- for part in parts -%}
            coalesce({{ part }}::varchar, chr(30)){{ ' || chr(31) || ' if not loop.last }}
        {%- endfor -%}
    )
{%- endmacro %}
