{# What a profile measures of a person. #}
{% macro engagement_measures() %}
    {{ return([
        'satisfaction_score', 'engagement_level', 'procedure_frequency', 'referral_rate',
        'technology_adoption',
    ]) }}
{% endmacro %}


{# The type of person by the seed person_types; a blank is the type that most feeds are of. #}
{% macro known_person_type(column) -%}
    {%- set usual = var('engagement_default_person_type') -%}
    {%- if usual not in ['patient', 'physician'] -%}
        {{ exceptions.raise_compiler_error(
            "engagement_default_person_type is patient or physician, not '" ~ usual ~ "'"
        ) }}
    {%- endif -%}
    case
        when person_types.person_type is not null then person_types.person_type
        when {{ is_blank(column) }} then '{{ usual }}'
    end
{%- endmacro %}


{# Why a profile is refused. A day that is there and cannot be read is no profile without a day. #}
{% macro engagement_refusal() -%}
    case
        when raw.unreadable_text is not null then {{ unreadable_reason() }}
        {{ required('unreadable', 'person_id') }}
        {{ known_word('person_type', 'person_type') }}
        when as_of_date is null and not {{ is_blank('raw.as_of_date') }}
            then 'unreadable_as_of_date'
    end
{%- endmacro %}
