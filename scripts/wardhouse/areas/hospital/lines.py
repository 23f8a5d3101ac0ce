"""How the sample's rows are written: DuckDB macros and one query for each file.

Every query reads the relation `block` and gives one text column, a line of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardhouse.areas.hospital.dirt import CODES

if TYPE_CHECKING:
    from wardhouse.areas.hospital.population import Population

SOILED_MONEY = """
    case kind
        when cost_currency() then if(cents % 2 = 0, '$', '€') || money(cents)
        when cost_thousands() then
            '"' || format('{:,}', cents // 100)
            || '.' || lpad((cents % 100)::varchar, 2, '0') || '"'
        when cost_parentheses() then '(' || money(cents) || ')'
        when cost_negative() then '-' || money(cents)
        when cost_blank() then ''
        when cost_na() then 'N/A'
        when cost_dashes() then '--'
        when cost_nan() then 'NaN'
        when cost_unreadable() then 'see invoice'
        when duplicate_reformatted() then '$' || money(cents)
        else money(cents)
    end
"""
# One row per treatment record, as it would be if it were clean.
TREATMENT_FIELDS = """
    select
        *,
        treatment_id(treatment) as treatment_id,
        patient_id(patient) as patient_id,
        doctor_id(doctor) as doctor_id,
        type_name(type_code) as treatment_type,
        money(treatment_cents) as treatment_cost,
        money(room_cents) as room_cost,
        first_day() + day as treatment_date,
        -- Every third dirty amount is the room's, where the kind does not need a price above zero.
        case
            when treatment % 3 > 0 or kind in (
                cost_thousands(), cost_parentheses(), cost_negative(), duplicate_reformatted()
            ) then 'treatment' else 'room'
        end as soiled_cost
    from block
"""
TREATMENT_LINES = f"""
    with fields as ({TREATMENT_FIELDS}),

    soiled as (
        select
            treatment,
            kind,
            case
                when kind = id_spaces() then ' ' || treatment_id || '  '
                when kind in (id_lower_case(), duplicate_reformatted()) then lower(treatment_id)
                else treatment_id
            end as treatment_id,
            case kind
                when id_spaces() then '  ' || patient_id
                when id_lower_case() then lower(patient_id)
                when duplicate_reformatted() then patient_id || ' '
                when patient_missing() then ''
                else patient_id
            end as patient_id,
            case kind
                when id_spaces() then doctor_id || ' '
                when id_lower_case() then lower(doctor_id)
                when doctor_missing() then ''
                else doctor_id
            end as doctor_id,
            if(kind = bad_encoding(), 'Réhabilitation', treatment_type) as treatment_type,
            if(
                soiled_cost = 'treatment', soiled_money(kind, treatment_cents), treatment_cost
            ) as treatment_cost,
            if(soiled_cost = 'room', soiled_money(kind, room_cents), room_cost) as room_cost,
            case kind
                when date_slashes() then strftime(treatment_date, '%Y/%m/%d')
                when date_day_first() then strftime(treatment_date, '%d/%m/%Y')
                when date_month_name() then strftime(treatment_date, '"%b %-d, %Y"')
                when date_day_month() then strftime(treatment_date, '%-d %b %Y')
                when date_timestamp()
                    then strftime(treatment_date, '%Y-%m-%d ') || (10 + treatment % 8) || ':30:00'
                when date_impossible() then strftime(treatment_date, '%Y-02-30')
                when date_blank() then ''
                when duplicate_reformatted() then strftime(treatment_date, '%d/%m/%Y')
                else strftime(treatment_date, '%Y-%m-%d')
            end as treatment_date
        from fields
    )

    select case
        when kind = columns_too_few() then treatment_id || ',' || patient_id || ',' || doctor_id
        else
            treatment_id || ',' || patient_id || ',' || doctor_id || ',' || treatment_type || ','
            || treatment_cost || ',' || room_cost || ',' || treatment_date
            || if(kind = columns_too_many(), ',checked,twice', '')
    end as line
    from soiled
"""  # noqa: S608 (constants only)
# What the warehouse must make of the accepted ones: ids cleansed, unreadable costs zero,
# impossible and blank dates null.
ACCEPTED_TREATMENTS = f"""
    with fields as ({TREATMENT_FIELDS})

    select
        treatment_id || ',' || patient_id || ',' || doctor_id || ',' || treatment_type
        || ',' || if(soiled_cost = 'treatment' and is_imputed(kind), '0.00', treatment_cost)
        || ',' || if(soiled_cost = 'room' and is_imputed(kind), '0.00', room_cost)
        || ',' || if(kind in (date_impossible(), date_blank()), '', treatment_date::varchar)
        as line
    from fields
    where is_accepted
"""  # noqa: S608 (constants only)
DOCTOR_LINES = """
    select
        doctor_id(doctor)
        || ',' || doctor_name(doctor) || ',' || specialty_name(specialty) as line
    from block
"""
FEEDBACK_LINES = """
    with fields as (
        select
            *,
            patient_id(patient) as patient_id,
            treatment_id(treatment) as treatment_id,
            score // 10 || '.' || score % 10 as score_text,
            first_day() + day as review_date
        from block
    ),

    soiled as (
        select
            is_last,
            case
                when kind != feedback_patient_missing() then '"patient_id": "' || patient_id || '"'
                when treatment % 2 = 0 then '"patient_id": ""'
                else '"patient_id": null'
            end as patient,
            if(kind = feedback_unidentified(), '', ', "treatment_id": "' || treatment_id || '"')
                as treatment,
            case
                when kind = feedback_out_of_range() then
                    ', "patient_feedback_score": ' || ['0', '5.5', '-1.0', '47'][1 + treatment % 4]
                when kind = feedback_score_text() then
                    ', "patient_feedback_score": "' || score_text || '"'
                when kind != feedback_score_missing() then
                    ', "patient_feedback_score": ' || score_text
                when treatment % 2 = 0 then ', "patient_feedback_score": null'
                else ''
            end as score,
            case
                when kind = feedback_unidentified() then ''
                when kind = feedback_date_impossible() then
                    strftime(review_date, ', "review_date": "%Y-02-30"')
                else strftime(review_date, ', "review_date": "%Y-%m-%d"')
            end as review
        from fields
    )

    select '  {' || patient || treatment || score || review || if(is_last, '}', '},') as line
    from soiled
"""
VIP_PATIENTS = """
    select patient_id(patient) || ',' || n_treatments || ',' || money(cents) as line
    from block
"""
PLANTED_DOCTORS = """
    select
        doctor_id(doctor) || ',' || if(is_low, 'low_feedback', 'high_feedback')
        || ',' || n_treatments || ',' || money(cents)
        || ',' || n_answers || ',' || coalesce(round(tenths / n_answers / 10, 2)::varchar, '')
        as line
    from block
"""


def hospital_macros(hospital: Population) -> dict[str, str]:
    """Name the codes, the ids and the ways to write an amount."""
    from wardhouse.areas.hospital.population import FIRST_DAY, SPECIALTIES, TYPES

    def identifier(letter: str, what: str, n: int, digits: int) -> str:
        return f"'{letter}' || lpad(({what} + 1)::varchar, {max(digits, len(str(n)))}, '0')"

    n_treatments, n_patients = len(hospital.patient), len(hospital.is_vip)
    n_doctors = len(hospital.plant) + 1  # and the one that no feed describes
    return {f"{kind}()": str(code) for kind, code in CODES.items()} | {
        "treatment_id(treatment)": identifier("T", "treatment", n_treatments, 4),
        "patient_id(patient)": identifier("P", "patient", n_patients, 4),
        "doctor_id(doctor)": identifier("D", "doctor", n_doctors, 3),
        "doctor_name(doctor)": "'Doctor ' || lpad((doctor + 1)::varchar, 4, '0')",
        "first_day()": f"date '{FIRST_DAY}'",
        "type_name(code)": f"({[name for name, *_ in TYPES]})[code::integer + 1]",
        "specialty_name(code)": f"({SPECIALTIES})[code::integer + 1]",
        "is_imputed(kind)": "kind in "
        "(cost_blank(), cost_na(), cost_dashes(), cost_nan(), cost_unreadable())",
        "money(cents)": "(cents::decimal(15, 0) * 0.01)::varchar",
        "soiled_money(kind, cents)": SOILED_MONEY,
    }
