{# What an event's details say, each under the keys that producers use, as columns of texts. #}
{% macro event_details(details) -%}
    {%- set fields = {
        'scheduled_time': ['new_scheduled_time', 'new_time', 'scheduled_time', 'scheduled_at'],
        'reason_text': ['reason', 'cancellation_reason', 'reschedule_reason'],
        'issue_type': ['issue_type', 'technical_issue_type', 'issue'],
        'duration_minutes': ['duration_minutes', 'session_duration_minutes'],
        'device': ['device_type', 'device'],
    } -%}
    {%- for field, keys in fields.items() %}
        {{ json_field(details, keys) }} as {{ field }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
