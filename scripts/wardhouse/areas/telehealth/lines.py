"""How the telehealth sample's rows are written: DuckDB macros and one query for each file.

Every query reads the relation `block` and gives one text column, a line of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardhouse.areas.telehealth.dirt import CODES
from wardhouse.areas.telehealth.population import (
    BROWSERS,
    DEVICES,
    FIRST_DAY,
    GENDERS,
    ISSUES,
    NO_SHOW,
    QUALITIES,
    SPECIALTIES,
    STATES,
    STATUSES,
    SYSTEMS,
    TYPES,
)

if TYPE_CHECKING:
    from wardhouse.areas.telehealth.population import Platform

# Nothing, then three of each mood: unhappy, neither, happy.
COMMENTS = [
    "",
    "The picture froze and I could hardly hear a word.",
    "A waste of time, I will go back to the clinic.",
    "Very frustrating visit, nobody could help with the app.",
    "It was all right.",
    "The visit took place as booked.",
    "Neither better nor worse than the clinic.",
    "Excellent care, thank you!",
    "Friendly, clear and helpful advice, I am very happy.",
    "Wonderful service and a great doctor.",
]
APPOINTMENT_HEADER = (
    "appointment_id,provider_id,patient_id,appointment_date,scheduled_time,appointment_type,"
    "status,wait_time_minutes,duration_minutes,device_type,operating_system,browser,"
    "connection_quality,had_technical_issues,technical_issue_type,timestamp\n"
)
FEEDBACK_HEADER = (
    "feedback_id,appointment_id,patient_id,provider_id,feedback_date,provider_rating,"
    "ease_of_use_rating,audio_quality_rating,video_quality_rating,overall_satisfaction,"
    "would_recommend,comments,timestamp\n"
)
PROVIDER_HEADER = (
    "provider_id,first_name,last_name,specialty,years_experience,state,hourly_rate,"
    "available_hours,active\n"
)
PATIENT_HEADER = "patient_id,age,gender,has_insurance,registration_date\n"
ACCEPTED_HEADER = (
    "appointment_id,provider_id,patient_id,appointment_date,scheduled_time,appointment_type,"
    "status,wait_minutes,duration_minutes,no_show_risk,expected_duration_minutes\n"
)
APPOINTMENT_LINES = """
    with fields as (
        select
            *,
            appointment_id(appointment) as appointment_id,
            provider_id(provider) as provider_id,
            patient_id(patient) as patient_id,
            moment(day, 0) as booked_on,
            moment(day, 480 + 15 * slot) as scheduled_at,
            type_name(type_code) as type_name,
            status_name(status) as status_name,
            device_name(device) as device_name
        from block
    ),

    soiled as (
        select
            kind,
            case
                when kind = id_spaces() then ' ' || appointment_id || '  '
                when kind = id_lower_case() then lower(appointment_id)
                when kind = appointment_missing() then ''
                else appointment_id
            end as appointment_id,
            case
                when kind = id_spaces() then provider_id || ' '
                when kind = id_lower_case() then lower(provider_id)
                when kind = provider_missing() then ''
                else provider_id
            end as provider_id,
            case
                when kind = id_spaces() then '  ' || patient_id
                when kind = id_lower_case() then lower(patient_id)
                when kind = patient_missing() then 'N/A'
                else patient_id
            end as patient_id,
            case kind
                when date_slashes() then strftime(booked_on, '%Y/%m/%d')
                when date_day_first() then strftime(booked_on, '%d/%m/%Y')
                when date_month_name() then strftime(booked_on, '"%b %-d, %Y"')
                when date_missing() then ''
                when date_impossible() then strftime(booked_on, '%Y-02-30')
                else strftime(booked_on, '%Y-%m-%d')
            end as booked_on,
            case kind
                when time_12_hours() then strftime(scheduled_at, '%-I:%M %p')
                when time_missing() then ''
                when time_impossible() then '25:75:00'
                else strftime(scheduled_at, '%H:%M:%S')
            end as scheduled_time,
            case kind
                when type_spelling() then upper(replace(type_name, ' ', '_'))
                when type_missing() then ''
                when type_unknown() then 'House Call'
                else type_name
            end as type_name,
            case kind
                when status_spelling() then
                    ['complete', 'CANCELED', 're-scheduled ', 'No Show'][status + 1]
                when status_missing() then '--'
                when status_unknown() then 'In limbo'
                else status_name
            end as status_name,
            case
                when kind = wait_nan() then 'NaN'
                when kind = wait_unreadable() then 'not noted'
                when kind = wait_negative() then '-' || (wait + 1) || '.0'
                when kind = completed_without_wait() or wait < 0 then ''
                else wait || '.0'
            end as wait,
            case
                when kind = duration_negative() then '-' || (duration + 1) || '.0'
                when kind = completed_without_duration() or duration < 0 then ''
                else duration || '.0'
            end as duration,
            case kind
                when device_spelling() then lower(replace(device_name, ' ', ''))
                when device_missing() then ''
                when device_unforeseen() then 'Smart TV'
                else device_name
            end as device_name,
            system_name(system) as system_name,
            if(kind = bad_encoding(), 'Opéra', browser_name(browser)) as browser_name,
            case kind
                when quality_unknown() then 'Blurry'
                when quality_missing() then ''
                else quality_name(quality)
            end as quality_name,
            case
                when kind = issues_words() then if(issue > 0, 'yes', 'no')
                when kind = issues_missing() then ''
                when issue > 0 then 'True'
                else 'False'
            end as had_issues,
            if(issue > 0 and kind <> issues_missing(), issue_name(issue), '') as issue_name,
            case kind
                when timestamp_missing() then ''
                when timestamp_unreadable() then 'yesterday evening'
                else strftime(moment(0, logged), '%Y-%m-%d %H:%M:%S')
            end as logged
        from fields
    )

    select case
        when kind = columns_too_few() then appointment_id || ',' || provider_id
        else concat_ws(
            ',', appointment_id, provider_id, patient_id, booked_on, scheduled_time, type_name,
            status_name, wait, duration, device_name, system_name, browser_name, quality_name,
            had_issues, issue_name, logged
        ) || if(kind = columns_too_many(), ',checked,twice', '')
    end as line
    from soiled
"""
ACCEPTED_APPOINTMENTS = """
    select concat_ws(
        ',', appointment_id(appointment), provider_id(provider), patient_id(patient),
        day_text(day),
        strftime(moment(day, 480 + 15 * slot), '%H:%M:%S'),
        if(kind = type_unknown(), 'House Call', type_name(type_code)), status_name(status),
        if(wait < 0, '', wait::varchar),
        if(duration < 0, '', duration::varchar), '0.' || lpad(risk::varchar, 2, '0'), expected
    ) as line
    from block
    where is_accepted
"""
FEEDBACK_LINES = """
    select concat_ws(
        ',',
        if(kind = feedback_id_missing(), '', feedback_id(answer)),
        if(kind = feedback_appointment_missing(), '', appointment_id(appointment)),
        patient_id(patient),
        provider_id(provider),
        if(kind = feedback_date_missing(), '', day_text(day)),
        case
            when kind = feedback_rating_outside() then ['0', '6', '-1', '4.5e1'][1 + answer % 4]
            else doctor::varchar
        end,
        case kind
            when feedback_rating_in_words() then 'so so'
            when feedback_rating_missing() then ''
            else ease::varchar
        end,
        sound,
        picture,
        if(kind = feedback_satisfaction_missing(), 'NaN', overall::varchar),
        case
            when kind = feedback_recommend_words() then if(is_recommended, 'Y', 'N')
            else if(is_recommended, 'True', 'False')
        end,
        case
            when contains(comment_text(comment), ',') then '"' || comment_text(comment) || '"'
            else comment_text(comment)
        end,
        case kind
            when feedback_timestamp_unreadable() then 'last week'
            else strftime(moment(day, logged), '%Y-%m-%d %H:%M:%S')
        end
    ) as line
    from block
"""
PROVIDER_LINES = """
    select concat_ws(
        ',',
        if(kind = provider_id_missing(), '', provider_id(provider)),
        'Provider',
        lpad((provider + 1)::varchar, 4, '0'),
        specialty_name(specialty),
        experience,
        state_name(licence),
        if(kind = provider_rate_currency(), '$', '') || (rate_cents::decimal(9, 0) * 0.01),
        hours,
        case
            when kind = provider_active_words() then if(is_active, 'yes', 'no')
            else if(is_active, 'True', 'False')
        end
    ) as line
    from block
"""
PATIENT_LINES = """
    select concat_ws(
        ',',
        if(kind = patient_id_missing(), '', patient_id(patient)),
        case
            when kind = patient_age_impossible() then ['212', '-3'][1 + patient % 2]
            when kind = patient_age_missing() then 'unknown'
            else age::varchar
        end,
        gender_name(gender),
        case
            when kind = patient_insurance_words() then if(is_insured, 'Yes', 'No')
            else if(is_insured, 'True', 'False')
        end,
        day_text(registered)
    ) as line
    from block
"""


def telehealth_macros(platform: Platform) -> dict[str, str]:
    """Name the codes, the ids and the words."""
    n_appointments = len(platform.patient) + 1  # and the one that nobody logged
    return {f"{kind}()": str(code) for kind, code in CODES.items()} | word_macros(
        n_appointments, len(platform.specialty) + 1, len(platform.age) + 1
    )


def word_macros(n_appointments: int, n_providers: int, n_patients: int) -> dict[str, str]:
    """Name the ids of so many, and the words."""

    def identifier(letters: str, what: str, n: int, digits: int) -> str:
        return f"'{letters}' || lpad(({what} + 1)::varchar, {max(digits, len(str(n)))}, '0')"

    words = {
        "type_name": [name for name, _ in TYPES],
        "status_name": STATUSES,
        "device_name": DEVICES,
        "system_name": SYSTEMS,
        "browser_name": BROWSERS,
        "quality_name": QUALITIES,
        "issue_name": ["", *ISSUES],
        "comment_text": COMMENTS,
        "specialty_name": SPECIALTIES,
        "state_name": STATES,
        "gender_name": GENDERS,
    }
    return {f"{name}(code)": f"({values})[code::integer + 1]" for name, values in words.items()} | {
        "moment(day, minutes)": f"timestamp '{FIRST_DAY}'"
        " + to_days(day::integer) + to_minutes(minutes::bigint)",
        "day_text(day)": "strftime(moment(day, 0), '%Y-%m-%d')",
        "appointment_id(row)": identifier("APT", "row", n_appointments, 6),
        "feedback_id(row)": identifier("FB", "row", n_appointments, 6),
        "provider_id(row)": identifier("PROV", "row", n_providers, 4),
        "patient_id(row)": identifier("PAT", "row", n_patients, 6),
    }


# One message per row of `block`; the key is the appointment, whose events so keep their order.
# U+E000 stands for a byte that is not UTF-8.
EVENT_MESSAGES = """
    with fields as (
        select
            *,
            appointment_id(appointment) as appointment_text,
            case kind
                when type_spelling() then
                    [
                        upper(event_type_name(type)),
                        replace(event_type_name(type), '_', '-'),
                        ' ' || replace(event_type_name(type), '_', ' ') || ' '
                    ][1 + pick % 3]
                when type_unknown() then 'heartbeat'
                else event_type_name(type)
            end as type_text,
            case type
                when 0 then quoted('scheduled_time', instant(scheduled)) || ','
                    || quoted('appointment_type', type_name(type_code))
                when 1 then quoted('new_scheduled_time', instant(scheduled)) || ','
                    || quoted('reason', reason_name(reason))
                when 2 then quoted('reason', reason_name(reason))
                when 3 then quoted('device_type', device_name(device))
                when 6 then quoted('issue_type', issue_name(issue))
                when 7 then '"duration_minutes":' || duration
                else ''
            end as details
        from block
    ),

    messages as (
        select
            kind,
            is_copy,
            pick,
            appointment_text,
            '{'
            || if(is_older, '', quoted('event_id', named_uuid('event', event)) || ',')
            || if(kind = type_missing(), nothing('event_type', pick),
                quoted('event_type', type_text) || ',')
            || if(kind = appointment_missing(), nothing('appointment_id', pick),
                quoted('appointment_id', appointment_text) || ',')
            || if(type = 4, '', quoted('patient_id', patient_id(patient)) || ',')
            || if(type = 3, '', quoted('provider_id', provider_id(provider)) || ',')
            || case kind
                when timestamp_missing() then nothing('timestamp', pick)
                when timestamp_unreadable() then '"timestamp":"just now",'
                else quoted('timestamp', instant(event_time)) || ','
            end
            || case
                when kind = details_missing() then '"details":null'
                when kind = details_unreadable() then '"details":"see the log"'
                when is_copy and kind in (
                    conflicting_newer(), conflicting_older(), conflicting_equal()
                ) then '"details":{' || details || if(details = '', '', ',')
                    || '"note":"sent again"}'
                else '"details":{' || details || '}'
            end
            || '}' as message
        from fields
    )

    select
        appointment_text as key,
        case
            when kind = poison_text() then 'ERROR 503 upstream connect error, retry ' || pick % 10
            when kind = poison_truncated() then left(message, 30 + pick % 100)
            when kind = poison_array() then '[' || message || ']'
            when kind = poison_bytes() then chr(57344) || '\t' || left(message, 40) || chr(57344)
            when kind = duplicate_reformatted() and is_copy then replace(message, ',"', ' , "')
            else message
        end as line
    from messages
"""
APPOINTMENT_MESSAGES = f"""
    select
        appointment_id(appointment) as key,
        '{{'
        || quoted('appointment_id', appointment_id(appointment)) || ','
        || quoted('provider_id', provider_id(provider)) || ','
        || quoted('patient_id', patient_id(patient)) || ','
        || quoted('appointment_date', left(instant(slot_time), 10)) || ','
        || quoted('scheduled_time', instant(slot_time)[12:16] || ':00') || ','
        || quoted('appointment_type', type_name(type_code)) || ','
        || quoted('status', status_name(status)) || ','
        || '"wait_time_minutes":' || if(wait < 0, 'null', wait::varchar) || ','
        || '"duration_minutes":' || if(duration < 0, 'null', duration::varchar) || ','
        || quoted('device_type', device_name(device)) || ','
        || quoted('operating_system', system_name(system)) || ','
        || quoted('browser', browser_name(browser)) || ','
        || quoted('connection_quality', quality_name(quality)) || ','
        || '"had_technical_issues":'
        || if(status = {NO_SHOW}, 'null', if(issue > 0, 'true', 'false')) || ','
        || '"technical_issue_type":'
        || if(status = {NO_SHOW} or issue = 0, 'null', '"' || issue_name(issue) || '"') || ','
        || quoted('timestamp', instant(delivery))
        || '}}' as line
    from block
"""  # noqa: S608 (constants only)
