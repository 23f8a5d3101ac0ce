"""Metrics say what the marts say: the SQL that MetricFlow makes of them, run on the sample."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from builds import PROJECT, holding
from wardhouse.warehouse import open_to_read

PAGE = PROJECT / "docs" / "metrics.md"
DAY, MONTH = "metric_time__day", "metric_time__month"
DEPARTMENT = {"department__hospital_id": "hospital_id", "department__department_name": "department"}
STATUS = {"patient__vip_status": "vip_status"}
DOCTOR = {"provider__provider_id": "doctor_id"}
REFERRER = {"provider": "provider_key"}
SPECIALTY = {"provider__specialty": "specialty"}
DEVICE = {"appointment__device_type": "device_type"}
RANKING, SCORECARD = "hospital.doctor_revenue_ranking", "telehealth.provider_scorecard"
STATUSES, DENIALS = "telehealth.appointment_status_summary", "growth.denial_reasons"
SUMMARY = "growth.provider_growth_summary"


@dataclass(frozen=True)
class Case:
    """A metric, and a mart that says the same.

    Parameters
    ----------
    metric
        The metric's name.
    mart
        The mart, and what of it.
    figure
        What the mart says, as SQL; an aggregate where its rows are finer.
    by
        The dimensions to ask by, with the mart's columns.
    digits
        Places that the mart rounds to; none where it does not.
    where
        What of the facts, as MetricFlow takes it.
    """

    metric: str
    mart: str
    figure: str
    by: dict[str, str] = field(default_factory=dict)
    digits: int | None = None
    where: str | None = None

    @property
    def table(self) -> str:
        """Name the mart."""
        return self.mart.split()[0]


CASES = [
    Case("revenue", f"{RANKING} where n_treatments > 0", "total_revenue", DOCTOR),
    Case("revenue", "hospital.revenue_by_month", "sum(total_revenue)", {MONTH: "month_start_date"}),
    Case("revenue", "hospital.vip_summary", "sum(total_revenue)", STATUS),
    Case("treatments", "hospital.revenue_by_month", "sum(n_treatments)", SPECIALTY),
    Case("treated_patients", f"{RANKING} where n_patients > 0", "n_patients", DOCTOR),
    Case("treated_patients", "hospital.vip_summary", "sum(n_patients)", STATUS),
    Case(
        "revenue_per_patient",
        "hospital.vip_summary",
        "sum(total_revenue) / sum(n_patients)",
        STATUS,
    ),
    Case("average_feedback", RANKING, "avg_feedback", DOCTOR, 2),
    # Means of patients are of six places.
    Case(
        "survey_score",
        "core.patient_feedback_totals",
        "sum(avg_feedback_score * n_feedback) / sum(n_feedback)",
        digits=6,
    ),
    Case("vip_share", "hospital.vip_summary where vip_status = 'VIP'", "sum(patient_share)"),
    Case(
        "appointments",
        f"{STATUSES} where n_appointments > 0",
        "n_appointments",
        {"appointment__appointment_status": "appointment_status"},
    ),
    Case(
        "appointments",
        "telehealth.daily_operations where n_appointments > 0",
        "n_appointments",
        {DAY: "date_day"},
    ),
    Case("completion_rate", SCORECARD, "completion_rate", {"provider__provider_id": "provider_id"}),
    Case("completion_rate", "telehealth.device_performance", "completion_rate", DEVICE),
    Case("no_show_rate", f"{STATUSES} where appointment_status = 'No-show'", "share"),
    Case("no_show_rate", SCORECARD, "no_show_rate", {"provider__provider_id": "provider_id"}),
    Case("no_show_rate", "telehealth.daily_operations", "no_show_rate", {DAY: "date_day"}),
    Case("technical_issue_rate", "telehealth.device_performance", "technical_issue_rate", DEVICE),
    Case(
        "appointment_wait",
        STATUSES,
        "avg_wait_minutes",
        {"appointment__appointment_status": "appointment_status"},
        2,
    ),
    Case(
        "overall_satisfaction",
        "telehealth.specialty_satisfaction",
        "avg_overall_satisfaction",
        SPECIALTY,
        3,
    ),
    Case(
        "overall_satisfaction",
        "telehealth.device_performance",
        "avg_overall_satisfaction",
        DEVICE,
        3,
        "{{ Dimension('appointment__device_type') }} is not null",
    ),
    Case(
        "recommendation_rate",
        "telehealth.specialty_satisfaction",
        "recommendation_rate",
        SPECIALTY,
    ),
    Case("admissions", "patient_flow.department_flow", "n_admissions", DEPARTMENT),
    Case(
        "admissions",
        "patient_flow.daily_flow where n_admissions > 0",
        "sum(n_admissions)",
        {DAY: "flow_date"},
    ),
    Case("admission_wait", "patient_flow.department_flow", "avg_wait_minutes", DEPARTMENT, 2),
    Case(
        "length_of_stay", "patient_flow.department_flow", "avg_length_of_stay_hours", DEPARTMENT, 4
    ),
    Case(
        "length_of_stay",
        "patient_flow.daily_flow",
        "avg_length_of_stay_hours",
        {DAY: "flow_date", **DEPARTMENT},
        2,
    ),
    Case("census", "patient_flow.daily_flow", "sum(closing_census)", {DAY: "flow_date"}),
    Case(
        "census",
        "patient_flow.bed_occupancy where hour_at = (select max(hour_at) from "
        "patient_flow.bed_occupancy)",
        "census",
        DEPARTMENT,
    ),
    Case("encounters", "growth.payer_mix", "n_encounters", {"payer__payer_name": "payer"}),
    Case(
        "encounters",
        "growth.service_line_summary",
        "n_encounters",
        {"service_line__service_line_name": "service_line"},
    ),
    Case(
        "encounter_cost",
        "growth.service_line_summary",
        "total_cost",
        {"service_line__service_line_name": "service_line"},
    ),
    Case(
        "encounter_length_of_stay",
        "growth.payer_mix",
        "avg_length_of_stay",
        {"payer__payer_name": "payer"},
    ),
    Case("claims", f"{SUMMARY} where total_visits > 0", "total_visits", REFERRER),
    Case(
        "claim_amount",
        f"{DENIALS} where breakdown = 'diagnosis' and diagnosis_code <> 'none'",
        "claim_amount",
        {"claim__diagnosis_code": "diagnosis_code"},
        where="{{ Dimension('claim__diagnosis_code') }} is not null",
    ),
    Case("denial_rate", SUMMARY, "denial_rate", REFERRER),
    Case(
        "denial_rate",
        f"{DENIALS} where breakdown = 'procedure' and procedure_code <> 'none'",
        "denial_rate",
        {"claim__procedure_code": "procedure_code"},
        where="{{ Dimension('claim__procedure_code') }} is not null",
    ),
    Case("collection_rate", SUMMARY, "collection_rate", REFERRER),
    Case(
        "opportunity_win_rate",
        "growth.pipeline_funnel where pipeline_stage in ('Closed Won', 'Closed Lost')",
        "sum(n_opportunities) filter (pipeline_stage = 'Closed Won') / sum(n_opportunities)",
    ),
    Case("pipeline_roi", SUMMARY, "pipeline_roi", REFERRER),
    Case("realised_roi", SUMMARY, "realised_roi", REFERRER),
    *(
        Case(
            f"{kind}_persona_share",
            f"engagement.persona_profiles where person_type = '{kind}'",
            "share",
            {"persona__persona_name": "persona_name"},
        )
        for kind in ("patient", "physician")
    ),
    Case(
        "engagement_level",
        "engagement.feature_profile where feature = 'engagement_level'",
        "mean_value",
        {"engagement_profile__person_type": "person_type"},
    ),
]


@pytest.fixture(scope="module")
def sql_of(manifest, tmp_path_factory) -> Callable[[Case], str]:
    """Return what writes MetricFlow's SQL for a case, by the semantic manifest that dbt writes."""
    # Imported here: it takes a second, and every run of any test collects this file.
    from dbt.contracts.graph.semantic_manifest import SemanticManifest
    from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
    from metricflow.protocols.sql_client import SqlEngine
    from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
    from metricflow_semantics.model import dbt_manifest_parser
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

    class DuckDb:
        """What MetricFlow asks of a database to write SQL for it."""

        sql_engine_type = SqlEngine.DUCKDB
        sql_plan_renderer = DuckDbSqlPlanRenderer()

    path = tmp_path_factory.mktemp("metrics") / "semantic_manifest.json"
    # dbt mixes up the lookups of a manifest that went through pickle; a copy has none yet.
    SemanticManifest(manifest.deepcopy()).write_json_to_file(str(path))
    parsed = dbt_manifest_parser.parse_manifest_from_dbt_generated_manifest(path.read_text())
    engine = MetricFlowEngine(SemanticManifestLookup(parsed), DuckDb())

    def sql_of(case: Case) -> str:
        request = MetricFlowQueryRequest.create(
            metric_names=[case.metric],
            group_by_names=list(case.by),
            where_constraints=[case.where] if case.where else None,
        )
        return engine.explain(request).sql_statement.sql

    return sql_of


@pytest.fixture(scope="module")
def warehouse(sample) -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a connection to the built sample that only reads."""
    with open_to_read(sample.database) as connection:
        yield connection


def rows(warehouse, table: str, keys: list[str], figure: str) -> dict[tuple, float]:
    """Ask for a figure by keys, where it is known. Who has no name is called Unknown."""
    named = [f"coalesce(({key})::varchar, 'Unknown')" for key in keys]
    columns = ", ".join([*named, f"({figure})::double as figure"])
    grouped = "group by all" if "(" in figure else ""
    found = warehouse.execute(
        f"select * from (select {columns} from {table} {grouped}) where figure is not null"
    ).fetchall()
    answers = {tuple(key): value for *key, value in found}
    assert len(answers) == len(found) > 0
    return answers


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.metric}-{case.table}")
def test_a_metric_says_what_the_mart_says(case, sql_of, warehouse):
    keys = [f"{name}::date" if "metric_time" in name else name for name in case.by]
    told = rows(warehouse, f"({sql_of(case)}\n)", keys, case.metric)
    expected = rows(warehouse, case.mart, list(case.by.values()), case.figure)
    assert told.keys() == expected.keys()
    rounding = 0 if case.digits is None else 0.5 * 10**-case.digits
    assert told == {
        key: pytest.approx(value, rel=1e-9, abs=1.001 * rounding) for key, value in expected.items()
    }


def formula(manifest, metric) -> str:
    """Say how a metric is computed, by its measure or by other metrics."""
    told = metric.type_params
    if metric.type.value == "ratio":
        return f"`{told.numerator.name}` / `{told.denominator.name}`"
    if metric.type.value == "derived":
        return f"`{told.expr}`"
    [(model, measure)] = measures(manifest, told.measure.name)
    place = f"`{model.node_relation.schema_name}.{model.node_relation.alias}`"
    expression = measure.expr or measure.name
    if expression == "1":
        return f"rows of {place}"
    kind = {"sum": "sum", "average": "mean", "count_distinct": "distinct"}[measure.agg.value]
    last = ", on the last day" if measure.non_additive_dimension else ""
    return f"{kind} `{expression}` of {place}{last}"


def measures(manifest, name: str | None = None) -> list[tuple]:
    """List the measures, or the one of a name, each after its semantic model."""
    return [
        (model, measure)
        for model in manifest.semantic_models.values()
        for measure in model.measures
        if name in (None, measure.name)
    ]


def parts(manifest) -> set[str]:
    """Name the metrics that others are made of: dbt makes them where a measure is declared."""
    found = manifest.metrics.values()
    return {each.name for each in found if "semantic_models" in each.original_file_path}


def subject(model) -> str:
    """Name the entity that a row of a semantic model is."""
    own = [entity.name for entity in model.entities if entity.type.value == "primary"]
    return own[0] if own else model.primary_entity


def entities(manifest, metric) -> set[str]:
    """Name what a metric is asked by: the entities of what it is computed of."""
    if metric.type.value == "simple":
        [(model, _)] = measures(manifest, metric.type_params.measure.name)
        return {subject(model), *(entity.name for entity in model.entities)}
    inputs = [manifest.metrics[name] for name in metric.depends_on.nodes]
    return set.intersection(*(entities(manifest, each) for each in inputs))


def dimensions(manifest) -> dict[str, list[str]]:
    """Name the dimensions of each entity, without those of time: metric_time is all of them."""
    found: dict[str, list[str]] = {}
    for model in manifest.semantic_models.values():
        told = [each.name for each in model.dimensions if each.type.value == "categorical"]
        found[subject(model)] = found.get(subject(model), []) + told
    return found


def table(header: list[str], *rows: list[str]) -> str:
    """Write a table of a page."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace(" --- ", "---") for cells in lines)


def page_tables(manifest) -> list[str]:
    """Write the tables of docs/metrics.md: the metrics, their parts, the dimensions."""
    declared = sorted(manifest.metrics.values(), key=lambda each: each.name)
    told = {
        each.name: [f"`{each.name}`", each.description.rstrip("."), formula(manifest, each)]
        for each in declared
    }
    known = dimensions(manifest)
    metrics = [
        [
            *told[each.name],
            each.config.meta["unit"],
            ", ".join(sorted(entities(manifest, each))),
            ", ".join(sorted({f"`{case.table}`" for case in CASES if case.metric == each.name})),
        ]
        for each in declared
        if each.name not in parts(manifest)
    ]
    return [
        table(["metric", "what", "formula", "unit", "by", "as in"], *metrics),
        table(["part", "what", "formula"], *(told[name] for name in sorted(parts(manifest)))),
        table(
            ["entity", "dimensions"],
            *(
                [entity, ", ".join(f"`{entity}__{name}`" for name in known[entity])]
                for entity in sorted(known)
                if known[entity]
            ),
        ),
    ]


def test_the_page_of_metrics_says_what_is_declared(manifest):
    """Whoever changes a metric takes the tables from page_tables."""
    written = re.findall(r"(?:^\|.+\n)+", PAGE.read_text(), flags=re.MULTILINE)
    expected = page_tables(manifest)
    assert [each.rstrip("\n") for each in written][: len(expected)] == expected


def test_each_metric_is_held_against_a_mart(manifest):
    names = {metric.name for metric in manifest.metrics.values()}
    assert {case.metric for case in CASES} == names - parts(manifest)
    assert len(names - parts(manifest)) >= 25


def test_metrics_and_what_they_are_made_of_are_described(manifest):
    models = manifest.semantic_models.values()
    inside = [
        each for model in models for each in [*model.entities, *model.dimensions, *model.measures]
    ]
    told = [*manifest.metrics.values(), *models, *inside]
    assert [each.name for each in told if not (each.description or "").strip()] == []
    assert len(told) > 150


@dataclass(frozen=True)
class Folder:
    """A folder with the project and what a build leaves there: `mf` is started in it."""

    path: Path
    database: Path

    def run(self, *command: str) -> subprocess.CompletedProcess:
        """Run a program of the environment, with a user's settings."""
        left_out = ("WARDHOUSE", "DBT_", "PYTEST")
        kept = {k: value for k, value in os.environ.items() if not k.startswith(left_out)}
        return subprocess.run(
            [Path(sys.executable).parent / command[0], *command[1:]],
            cwd=self.path,
            env=kept | {"WARDHOUSE_DB": str(self.database)},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def folder(sample, tmp_path_factory) -> Folder:
    """Return a folder as a build leaves it."""
    path = tmp_path_factory.mktemp("asked")
    for name in ("dbt_project.yml", "profiles.yml", "selectors.yml"):
        shutil.copy(PROJECT / name, path)
    for name in ("macros", "models", "seeds", "snapshots", "tests"):
        (path / name).symlink_to(PROJECT / name)
    found = Folder(path, Path(shutil.copy(sample.database, path)))
    parsed = found.run("dbt", "--quiet", "parse")
    assert parsed.returncode == 0, parsed.stdout
    return found


def typed() -> list[list[str]]:
    """Read the commands of docs/metrics.md."""
    block = PAGE.read_text().split("```")[1].replace("\\\n", " ")
    lines = (shlex.split(line, comments=True) for line in block.splitlines())
    return [words for words in lines if words[:1] == ["mf"]]


@pytest.mark.system
def test_the_commands_of_the_page_work_as_they_are_typed(folder, sample):
    commands = typed()
    assert len(commands) > 5
    for command in commands:
        done = folder.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    written = (folder.path / "revenue.csv").read_text().splitlines()
    told = [line.split(",") for line in written[1:]]
    revenue = sample.query(
        "select vip_status, sum(total_revenue) from hospital.vip_summary group by 1"
    )
    for status, expected in revenue:
        assert sum(Decimal(row[2]) for row in told if row[1] == status) == expected


@pytest.mark.system
def test_who_asks_during_a_build_is_told_which_process_has_the_file(folder):
    with holding(folder.database) as process:
        done = folder.run("mf", "query", "--metrics", "revenue")
    assert done.returncode == 1
    assert f"is in use by process {process.pid}" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
