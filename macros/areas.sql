{#
    What each area brings to the models that all share. While dbt parses a model it shows it neither
    folders nor other models, so that their names are said here, and a test holds them against both.
#}
{% macro areas() %}
    {{ return({
        'engagement': {
            'feeds': ['healthcare_data'],
            'fits': [
                'patient_departure_fit', 'patient_persona_fit', 'physician_departure_fit',
                'physician_persona_fit',
            ],
            'alert_metrics': ['alert_metrics_engagement'],
        },
        'growth': {
            'feeds': ['ehr_claims', 'inventory_usage', 'salesforce_crm', 'sg2_patient_flow'],
            'fits': ['opportunity_fit'],
            'insight_statistics': ['growth_insight_statistics'],
        },
        'hospital': {
            'feeds': ['doctors_info', 'patient_feedback', 'patients_data_with_doctor'],
            'fits': ['vip_fit'],
        },
        'patient_flow': {
            'feeds': ['patient_events'],
            'alert_metrics': ['alert_metrics_patient_flow'],
            'insight_statistics': ['patient_flow_insight_statistics'],
        },
        'telehealth': {
            'feeds': [
                'appointment_events', 'appointment_logs', 'patient_feedback', 'patients', 'providers',
            ],
            'fits': [
                'appointment_duration_fit', 'appointment_no_show_fit', 'feedback_sentiment_fit',
                'provider_match_fit',
            ],
            'alert_metrics': [
                'alert_metrics_days', 'alert_metrics_intake', 'alert_metrics_visits',
            ],
            'insight_statistics': ['telehealth_insight_statistics'],
        },
    }) }}
{% endmacro %}


{# What all areas bring of a kind: pairs of area and name. #}
{% macro of_all_areas(kind) %}
    {% set found = [] %}
    {% for area, brought in areas().items() %}
        {% for name in brought.get(kind, []) %}
            {% do found.append((area, name)) %}
        {% endfor %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}


{#
    The layout is the declaration: models/staging/<area>, models/marts/core/<area>,
    models/marts/<area>, models/ml/<area>. Folders that no area has are shared by all.
#}
{% macro area_of(node) %}
    {% set folder = node.fqn[1:-1] %}
    {% if folder and folder[0] in ['staging', 'ml'] and folder | length > 1 %}
        {{ return(folder[1]) }}
    {% elif folder and folder[0] == 'marts' and folder[1] not in ['core', 'quality'] %}
        {{ return(folder[1]) }}
    {% endif %}
    {{ return(node.schema) }}
{% endmacro %}


{# The layer is the schema; answers have one for each area. What is configured comes first. #}
{% macro generate_schema_name(custom_schema_name, node) %}
    {%- set folder = node.fqn[1:-1] -%}
    {%- if custom_schema_name -%}
        {{ custom_schema_name | trim }}
    {%- elif node.resource_type == 'model' and folder -%}
        {{ folder[1] if folder[0] == 'marts' else folder[0] }}
    {%- else -%}
        {{ target.schema }}
    {%- endif -%}
{% endmacro %}
