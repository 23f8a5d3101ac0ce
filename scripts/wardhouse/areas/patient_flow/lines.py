"""How events of patient flow are written."""

from __future__ import annotations

# One message per row of `block`. The first column is the key: all events of a patient keep their
# order. U+E000 stands for a byte that is not UTF-8.
MESSAGES = """
    with fields as (
        select
            *,
            named_uuid('patient', person) as patient_id,
            case kind
                when department_spelling() then
                    [
                        upper(department_name(department)),
                        lower(department_name(department)),
                        '  ' || department_name(department) || ' ',
                        upper(department_name(department)) || ' '
                    ][1 + pick % 4]
                else department_name(department)
            end as department_text,
            case kind
                when gender_spelling() then
                    [
                        upper(gender_name(is_female)),
                        lower(gender_name(is_female)),
                        gender_name(is_female)[1],
                        ' ' || gender_name(is_female) || ' '
                    ][1 + pick % 4]
                else gender_name(is_female)
            end as gender_text
        from block
    ),

    messages as (
        select
            kind,
            is_copy,
            pick,
            patient_id,
            '{'
            || if(
                is_older, '', '"event_id":"' || named_uuid('event', event)
                || '","event_time":"' || instant(event_time) || '",'
            )
            || if(
                kind = patient_missing(), nothing('patient_id', pick),
                '"patient_id":"' || patient_id || '",'
            )
            || if(
                kind = gender_missing(), nothing('gender', pick),
                '"gender":"' || gender_text || '",'
            )
            || '"age":' || age || ','
            || if(
                kind = department_missing(), nothing('department', pick),
                '"department":"' || department_text || '",'
            )
            || case kind
                when admission_missing() then nothing('admission_time', pick)
                when admission_unreadable() then '"admission_time":"this morning",'
                else '"admission_time":"' || instant(admission) || '",'
            end
            || '"discharge_time":'
            || if(discharge = 0, 'null', '"' || instant(discharge) || '"')
            || ',"bed_id":' || bed
            || if(kind = hospital_missing(), '', ',"hospital_id":' || hospital)
            || if(is_older, '', ',"wait_time_minutes":' || wait)
            || '}' as message
        from fields
    )

    select
        patient_id as key,
        case
            when kind = poison_text() then 'ERROR 503 upstream connect error, retry ' || pick % 10
            when kind = poison_truncated() then left(message, 30 + pick % 150)
            when kind = poison_array() then '[' || message || ']'
            when kind = poison_bytes() then chr(57344) || '\t' || left(message, 40) || chr(57344)
            when kind = duplicate_reformatted() and is_copy then replace(message, ',"', ' , "')
            else message
        end as line
    from messages
"""
