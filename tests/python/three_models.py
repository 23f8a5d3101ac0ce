"""A project of three models on the real macros, landing and profile, built in a second.

A base model, a fact that reads what changed in it, and a consumer of the fact, which is exported.
"""

from pathlib import Path

import yaml
from builds import PROJECT

COLUMNS = ("visit_id", "patient_id", "department", "cost", "told_at")
BASE = "base_clinic__visits"


def declared(area: str, feed: str, columns: tuple[str, ...], n_required: int) -> dict:
    """Declare a feed, whose first columns are required."""
    meta = [{"required": place < n_required} for place in range(len(columns))]
    listed = [
        {"name": name, "config": {"meta": each}} for name, each in zip(columns, meta, strict=True)
    ]
    return {"name": area, "schema": f"raw_{area}", "tables": [{"name": feed, "columns": listed}]}


# Of the laboratory nothing is made: it is the area that a build may have or not.
SOURCES = [declared("clinic", "visits", COLUMNS, 3), declared("laboratory", "results", ("id",), 1)]

BASE_SQL = """
{{ config(
    materialized='incremental_by_file', SETTINGS, publishes=[{'key': ['patient_id']}],
) }}

with visits as (
    select * from {{ landed('clinic', 'visits') }}
),

parsed as (
    select
        visits as raw,
        source_file,
        {{ parse_id('visit_id') }} as visit_id,
        {{ parse_id('patient_id') }} as patient_id,
        {{ parse_text('department') }} as department,
        {{ parse_amount('cost', '.') }} as known_cost,
        {{ parse_timestamp('visits.told_at', 'dmy') }} as told_at
    from visits
),

validated as (
    select
        *,
        coalesce(known_cost, 0)::decimal(18, 2) as cost,
        {% call repairs() -%}
        {{ taken_as_zero('known_cost', 'cost') }},
        {{ unread('told_at') }}
        {%- endcall %} as repairs,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            when visit_id is null then 'missing_visit_id'
            when patient_id is null then 'missing_patient_id'
            when {{ var('missing_cost_policy') == 'reject' }} and known_cost is null
                then 'missing_cost'
        end as rejection_reason
    from parsed
)

select * exclude (raw, known_cost), {{ envelope() }} from validated
"""

FACT_SQL = """
{{ config(
    materialized='incremental_by_key', key=['patient_id'],
    consumes=['base_clinic__visits(patient_id)'], publishes=[{'key': ['department']}],
) }}

select
    visit_id,
    patient_id,
    department,
    cost
from {{ only_changed(ref('base_clinic__visits')) }}
where rejection_reason is null and not is_duplicate
"""

CONSUMER_SQL = """
{{ config(
    materialized='incremental_by_key', key=['department'], consumes=['fct_visits(department)'],
    post_hook="{{ export_to('clinic/department_costs') }}",
) }}

select
    department,
    count(*) as n_visits,
    sum(cost)::decimal(18, 2) as cost
from {{ only_changed(ref('fct_visits')) }}
group by department
"""

META = {column: {"raw_column": column} for column in ("cost", "told_at")}
PROPERTIES = {
    "models": [
        {
            "name": name,
            "columns": [
                {"name": column, "data_type": kind, "config": {"meta": META.get(column, {})}}
                for column, kind in columns.items()
            ],
        }
        for name, columns in {
            BASE: {
                "source_file": "varchar",
                "visit_id": "varchar",
                "patient_id": "varchar",
                "department": "varchar",
                "told_at": "timestamp",
                "cost": "decimal(18, 2)",
                "repairs": "varchar[]",
                "rejection_reason": "varchar",
                "record_hash": "ubigint",
                "key_hash": "ubigint",
                "is_duplicate": "boolean",
                "rejected_record": "varchar",
            },
            "fct_visits": {
                "visit_id": "varchar",
                "patient_id": "varchar",
                "department": "varchar",
                "cost": "decimal(18, 2)",
            },
            "department_costs": {
                "department": "varchar",
                "n_visits": "bigint",
                "cost": "decimal(18, 2)",
            },
        }.items()
    ]
}


def write_project(place: Path, settings: str) -> Path:
    """Write the project, whose base model settles conflicts by the settings."""
    place.mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml", "macros"):
        (place / name).symlink_to(PROJECT / name)
    seeds = place / "seeds" / "reference"
    seeds.mkdir(parents=True)
    for name in ("source_systems.csv", "intake_thresholds.csv"):
        (seeds / name).symlink_to(PROJECT / "seeds/reference" / name)
    files = {
        "staging/clinic/_clinic__sources.yml": yaml.safe_dump({"sources": SOURCES}),
        f"staging/clinic/{BASE}.sql": BASE_SQL.replace("SETTINGS", settings),
        "marts/core/clinic/fct_visits.sql": FACT_SQL,
        "marts/clinic/department_costs.sql": CONSUMER_SQL,
        "marts/_marts__models.yml": yaml.safe_dump(PROPERTIES),
    }
    for name, text in files.items():
        path = place / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return place
