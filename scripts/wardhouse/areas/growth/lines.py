"""How the sample's rows are written: DuckDB macros and one query for each file.

Every query reads the relation `block` and gives one text column, a line of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardhouse.areas.growth.dirt import CODES

if TYPE_CHECKING:
    from wardhouse.areas.growth.population import Population

# Each is the same name; a name with a comma stands in quotes.
SPELLED_PROVIDER = """[
    '"' || family_name(provider) || ', ' || given_name(provider) || '"',
    'DR ' || upper(given_name(provider) || ' ' || family_name(provider)),
    lower(given_name(provider) || ' ' || family_name(provider)),
    '  Dr  ' || given_name(provider) || '  ' || family_name(provider) || ' ',
    '"' || given_name(provider) || ' ' || family_name(provider) || ', MD"'
][1 + pick % 5]"""
SPELLED_LINE = """[
    upper(line_name(line)), lower(line_name(line)), '  ' || line_name(line) || ' ', other_line(line)
][1 + pick % 4]"""
SPELLED_PAYER = """[
    upper(payer_name(payer)), lower(payer_name(payer)), ' ' || payer_name(payer) || '  '
][1 + pick % 3]"""
ENCOUNTER_LINES = """
    with fields as (
        select
            *,
            date_of(day) as admission,
            date_of(day + stay) as discharge
        from block
    ),

    soiled as (
        select
            if(kind = patient_missing(), '', patient_id(patient)) as patient_id,
            case kind
                when provider_spelling() then spelled_provider(provider, pick)
                -- Two letters have changed places.
                when provider_typo() then 'Dr. ' || given_name(provider) || ' '
                    || regexp_replace(family_name(provider), '^(.)(.)(.)', '\\1\\3\\2')
                when provider_missing() then ''
                else provider_name(provider)
            end as referral_provider,
            case kind
                when service_line_spelling() then spelled_line(line, pick)
                when service_line_unlisted() then 'Sleep Medicine'
                else line_name(line)
            end as service_line,
            case kind
                when admission_unreadable() then strftime(admission, '%Y-02-30')
                when date_slashes() then strftime(admission, '%Y/%m/%d')
                when date_month_name() then strftime(admission, '"%b %-d, %Y"')
                else strftime(admission, '%Y-%m-%d')
            end as admission_date,
            case
                when kind = discharge_open_in_words()
                    then ['still admitted', '9999-12-31'][1 + pick % 2]
                when is_open then ''
                when kind = discharge_unreadable() then strftime(discharge, '%Y-02-30')
                when kind = discharge_before_admission()
                    then strftime(admission - (1 + pick % 5)::integer, '%Y-%m-%d')
                when kind = date_slashes() then strftime(discharge, '%Y/%m/%d')
                when kind = date_month_name() then strftime(discharge, '"%b %-d, %Y"')
                else strftime(discharge, '%Y-%m-%d')
            end as discharge_date,
            case
                when is_open or kind in (stay_blank(), discharge_before_admission()) then ''
                when kind = stay_disputed() then (stay + 1 + pick % 3)::varchar
                else stay::varchar
            end as length_of_stay,
            case kind
                when satisfaction_beyond() then ['101', '250', '-5'][1 + pick % 3]
                when satisfaction_unreadable() then 'very good'
                when satisfaction_blank() then ''
                else money(satisfaction)
            end as satisfaction_score,
            case kind
                when cost_blank() then ''
                when cost_currency() then '$' || money(cost_cents)
                when cost_thousands() then thousands(cost_cents)
                when cost_unreadable() then 'see invoice'
                when cost_negative() then '-' || money(cost_cents)
                else money(cost_cents)
            end as treatment_cost,
            case kind
                when payer_spelling() then spelled_payer(payer, pick)
                when payer_hyphen()
                    then ['Self\u2011Pay', 'self\u2010pay', 'SELF-PAY', 'Self Pay'][1 + pick % 4]
                when payer_blank() then ''
                else payer_name(payer)
            end as payer
        from fields
    )

    select
        patient_id || ',' || referral_provider || ',' || service_line || ',' || admission_date
        || ',' || discharge_date || ',' || length_of_stay || ',' || satisfaction_score
        || ',' || treatment_cost || ',' || payer as line
    from soiled
"""
OPPORTUNITY_LINES = """
    select
        provider_text(kind = crm_provider_spelling(), provider, pick)
        || ',' || case kind
            when crm_stage_spelling() then other_stage(stage)
            when crm_stage_unknown() then 'On Hold'
            else stage_name(stage)
        end
        || ',' || contacts
        || ',' || if(kind = crm_value_currency(), '$', '') || money(value_cents)
        || ',' || money(deals_cents) || ',' || money(marketing_cents)
        || ',' || numbered('AC', account, 4)
        || ',' || strftime(if(is_older, last_day() - 91, last_day()), '%Y-%m-%d') as line
    from block
"""
CLAIM_LINES = """
    select
        if(kind = claim_id_missing(), '', numbered('CL', claim, 6))
        || ',' || if(kind = claim_patient_missing(), '', patient_id(patient))
        || ',' || date_text(kind = claim_visit_unreadable(), date_of(visit))
        || ',' || diagnosis_code(line, diagnosis) || ',' || procedure_code(line, procedure)
        || ',' || provider_text(kind = claim_provider_spelling(), provider, pick)
        || ',' || case kind
            when claim_negative() then '-' || money(claim_cents)
            when claim_amount_unreadable() then 'to follow'
            else money(claim_cents)
        end
        || ',' || case
            when kind in (claim_paid_while_denied(), claim_paid_while_pending())
                then money(claim_cents * 4 // 5)
            when kind = claim_overpaid() then money(claim_cents * (11 + pick % 5) // 10)
            when kind = claim_negative() then '0.00'
            when kind = claim_paid_unreadable() then 'see remittance'
            else money(paid_cents)
        end
        || ',' || case kind
            when claim_status_unknown() then 'Escalated'
            when claim_status_spelling() then other_status(status, pick)
            else status_name(status)
        end as line
    from block
"""
SUPPLY_LINES = """
    select
        provider_text(kind = supply_provider_spelling(), provider, pick)
        || ',' || item_name(item)
        || ',' || date_text(kind = supply_date_unreadable(), date_of(day))
        || ',' || if(kind = supply_negative(), '-', '') || quantity
        || ',' || if(kind = supply_zero_usage(), 0, usage)
        || ',' || reorder as line
    from block
"""


def growth_macros(population: Population) -> dict[str, str]:
    """Name the codes, the words and the ways to write a name or an amount."""
    from wardhouse.areas.growth.population import (
        FIRST_DAY,
        ITEMS,
        LAST_DAY,
        LINES,
        PAYERS,
        STAGE_SPELLINGS,
        STAGES,
        STATUS_NAMES,
    )

    def one_of(words: list, *places: str) -> str:
        return f"({words})" + "".join(f"[{place}::integer + 1]" for place in places)

    digits = max(5, len(str(len(population.patient))))
    given, family = zip(*population.names, strict=True)
    statuses = [["approved", "PAID"], ["rejected", "DENIED"], ["In Review", "pending "]]
    return {f"{kind}()": str(code) for kind, code in CODES.items()} | {
        "date_of(day)": f"date '{FIRST_DAY}' + day::integer",
        "date_text(is_impossible, day)": "if(is_impossible, strftime(day, '%Y-02-30'),"
        " strftime(day, '%Y-%m-%d'))",
        "last_day()": f"date '{LAST_DAY}'",
        "numbered(letters, what, digits)": "letters || lpad((what + 1)::varchar,"
        " greatest(digits, length((what + 1)::varchar))::integer, '0')",
        "patient_id(patient)": f"numbered('PT', patient, {digits})",
        "given_name(provider)": one_of(list(given), "provider"),
        "family_name(provider)": one_of(list(family), "provider"),
        "provider_name(provider)": "'Dr. ' || given_name(provider) || ' ' || family_name(provider)",
        "spelled_provider(provider, pick)": SPELLED_PROVIDER,
        "provider_text(is_spelled, provider, pick)": "if(is_spelled,"
        " spelled_provider(provider, pick), provider_name(provider))",
        "line_name(line)": one_of([line.name for line in LINES], "line"),
        "other_line(line)": one_of([line.other_name for line in LINES], "line"),
        "spelled_line(line, pick)": SPELLED_LINE,
        "payer_name(payer)": one_of(list(PAYERS), "payer"),
        "spelled_payer(payer, pick)": SPELLED_PAYER,
        "diagnosis_code(line, code)": one_of([list(x.diagnoses) for x in LINES], "line", "code"),
        "procedure_code(line, code)": one_of([list(x.procedures) for x in LINES], "line", "code"),
        "status_name(status)": one_of(list(STATUS_NAMES), "status"),
        "other_status(status, pick)": one_of(statuses, "status", "(pick % 2)"),
        "stage_name(stage)": one_of(list(STAGES), "stage"),
        "other_stage(stage)": one_of(list(STAGE_SPELLINGS), "stage"),
        "item_name(item)": one_of(list(ITEMS), "item"),
        "money(cents)": "(cents::decimal(15, 0) * 0.01)::varchar",
        "thousands(cents)": "'\"' || format('{:,}', cents // 100)"
        " || '.' || lpad((cents % 100)::varchar, 2, '0') || '\"'",
    }
