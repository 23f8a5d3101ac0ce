"""How the sample's records are written: DuckDB macros and one query.

The query reads the relation `block` and gives one text column, a line of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardhouse.areas.engagement.dirt import CODES

if TYPE_CHECKING:
    from wardhouse.areas.engagement.population import Population

SPELLED_TYPE = """if(
    person_type = 0,
    ['PATIENT', 'Patient', ' patient '][1 + pick % 3],
    ['Doctor', 'PHYSICIAN', 'Physician'][1 + pick % 3]
)"""
RECORD_LINES = """
    with soiled as (
        select
            if(kind = person_missing(), '', person_id(person_type, number)) as person_id,
            case kind
                when type_unknown() then ['visitor', 'vendor'][1 + pick % 2]
                when type_blank() then ''
                when type_spelling() then spelled_type(person_type, pick)
                else type_name(person_type)
            end as person_type,
            case kind
                when as_of_unreadable() then strftime(date_of(as_of), '%Y-02-30')
                when as_of_slashes() then strftime(date_of(as_of), '%Y/%m/%d')
                when as_of_month_name() then strftime(date_of(as_of), '"%b %-d, %Y"')
                else strftime(date_of(as_of), '%Y-%m-%d')
            end as as_of_date,
            case kind
                when satisfaction_blank() then ''
                when satisfaction_beyond() then ['11', '0', '95'][1 + pick % 3]
                when satisfaction_unreadable() then 'very good'
                else tenths(satisfaction_score)
            end as satisfaction_score,
            case
                when kind in (engagement_blank(), engagement_blank_at_low_adoption()) then ''
                when kind = engagement_beyond() then ['140', '-5'][1 + pick % 2]
                -- A person's earlier record of the same date has another level.
                when is_older then tenths(abs(engagement_level - 30))
                else tenths(engagement_level)
            end as engagement_level,
            case kind
                when procedures_and_referrals_blank() then ''
                -- More than any group, and still possible.
                when procedures_outlier() then (350 + pick % 40)::varchar
                else ((procedure_frequency + 5) // 10)::varchar
            end as procedure_frequency,
            case kind
                when procedures_and_referrals_blank() then ''
                when referrals_outlier() then (80 + pick % 60)::varchar
                else tenths(referral_rate)
            end as referral_rate,
            if(kind = adoption_beyond(), '15', tenths(technology_adoption)) as technology_adoption,
            if(
                kind = first_seen_unreadable(),
                strftime(date_of(first_seen), '%Y-02-30'),
                strftime(date_of(first_seen), '%Y-%m-%d')
            ) as first_seen_date,
            case
                when not is_left_told then ''
                when kind = left_before_first_seen()
                    then strftime(date_of(first_seen - 10 - pick), '%Y-%m-%d')
                else strftime(date_of(left_day), '%Y-%m-%d')
            end as left_date,
            case kind
                when value_blank() then ''
                when value_currency() then '$' || money(value_cents)
                when value_thousands() then thousands(value_cents)
                when value_negative() then '-' || money(value_cents)
                else money(value_cents)
            end as annual_value,
            case kind
                when consent_spelling() then spelled_consent(consent, pick)
                when consent_unreadable() then 'ask again'
                else ['', 'yes', 'no'][1 + consent]
            end as marketing_consent,
            age::varchar as age_years,
            tenths(distance) as distance_km
        from block
    )

    select
        person_id || ',' || person_type || ',' || as_of_date || ',' || satisfaction_score
        || ',' || engagement_level || ',' || procedure_frequency || ',' || referral_rate
        || ',' || technology_adoption || ',' || first_seen_date || ',' || left_date
        || ',' || annual_value || ',' || marketing_consent || ',' || age_years
        || ',' || distance_km as line
    from soiled
"""


def engagement_macros(population: Population) -> dict[str, str]:
    """Name the codes, the words and the ways to write an id, a date or an amount."""
    from wardhouse.areas.engagement.population import FIRST_DATE, LETTERS, TYPE_NAMES

    return {f"{kind}()": str(code) for kind, code in CODES.items()} | {
        "date_of(day)": f"date '{FIRST_DATE}' + day::integer",
        "person_id(person_type, number)": f"({list(LETTERS)})[1 + person_type]"
        f" || lpad((number + 1)::varchar, {population.n_digits}, '0')",
        "type_name(person_type)": f"({list(TYPE_NAMES)})[1 + person_type]",
        "spelled_type(person_type, pick)": SPELLED_TYPE,
        "spelled_consent(consent, pick)": "if(consent = 1, ['Y', 'TRUE', '1'], ['N', 'False', '0'])"
        "[1 + pick % 3]",
        "tenths(number)": "(number::decimal(15, 0) * 0.1)::varchar",
        "money(cents)": "(cents::decimal(15, 0) * 0.01)::varchar",
        "thousands(cents)": "'\"' || format('{:,}', cents // 100)"
        " || '.' || lpad((cents % 100)::varchar, 2, '0') || '\"'",
    }
