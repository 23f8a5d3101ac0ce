{# Every feed that base models read, by area: what quarantine and reconciliation cover. #}
{% macro landed_feeds() %}
    {{ return([
        ('hospital', 'doctors_info'),
        ('hospital', 'patient_feedback'),
        ('hospital', 'patients_data_with_doctor'),
        ('patient_flow', 'patient_events'),
        ('telehealth', 'appointment_events'),
        ('telehealth', 'appointment_logs'),
        ('telehealth', 'patient_feedback'),
        ('telehealth', 'patients'),
        ('telehealth', 'providers'),
    ]) }}
{% endmacro %}
