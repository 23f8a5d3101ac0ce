{% macro opportunity_target() %}
    {% set level = var('growth_prediction_level') %}
    {% if not 0 < level | float(0) < 1 %}
        {{ exceptions.raise_compiler_error(
            "growth_prediction_level is " ~ level ~ ": give a share between 0 and 1, such as 0.8"
        ) }}
    {% endif %}
    {% set target = var('growth_opportunity_target') %}
    {% if target not in ['opportunity_value', 'deals_value'] %}
        {{ exceptions.raise_compiler_error(
            "growth_opportunity_target is " ~ target ~ ": take opportunity_value or deals_value"
        ) }}
    {% endif %}
    {{ return(target) }}
{% endmacro %}


{#
    What is paid, what is hoped and what is made of either is no feature: it would foretell the CRM's
    opinion of a provider by another of its opinions.
#}
{% macro opportunity_features() %}
    {% set known = [
        'total_patients', 'n_encounters', 'avg_length_of_stay', 'avg_satisfaction', 'avg_cost',
        'total_cost', 'contact_count', 'marketing_cost', 'total_visits', 'total_claim_amount',
        'paid_amount', 'n_claims_denied', 'n_claims_pending', 'collection_rate', 'denial_rate',
        'pending_share', 'daily_usage', 'quantity_on_hand', 'supplies_per_patient',
        'n_supply_items', 'n_items_to_reorder',
    ] %}
    {% set features = var('growth_opportunity_features') %}
    {% set features = [features] if features is string else features | unique | list %}
    {% set unknown = features | reject('in', known) | list %}
    {% if unknown or not features %}
        {{ exceptions.raise_compiler_error(
            "growth_opportunity_features names " ~ (unknown | join(', ') or 'nothing')
            ~ ", which is made of a target or is not in provider_metrics: choose from "
            ~ known | join(', ')
        ) }}
    {% endif %}
    {{ return(features) }}
{% endmacro %}
