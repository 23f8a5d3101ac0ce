"""Small warehouses to publish: the three models with two marts that declare an audience."""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import yaml
from builds import environment, invoke
from three_models import COLUMNS, PROPERTIES, write_project
from wardhouse.publish.snapshot import Published, publish

MARTS = ("clinic.department_costs", "clinic.size_costs")
SIZES_SQL = """
select n_visits, count(*) as n_departments, sum(cost)::decimal(18, 2) as cost
from {{ ref('department_costs') }}
group by n_visits
"""
WARDS = ["Ward 1", "Ward 2"]


@dataclass(frozen=True)
class Warehouse:
    """A warehouse, the manifest of its build, and the folder to publish into."""

    database: Path
    dbt_manifest: Path
    folder: Path

    def publish(self, **options) -> Published:
        """Publish it."""
        return publish(self.database, self.dbt_manifest, self.folder, **options)

    def declare(self, change) -> None:
        """Change what the manifest declares."""
        manifest = json.loads(self.dbt_manifest.read_text())
        change(manifest)
        self.dbt_manifest.write_text(json.dumps(manifest))

    def execute(self, *statements: str) -> None:
        """Change the warehouse."""
        with duckdb.connect(str(self.database)) as connection:
            connection.execute("begin")
            for statement in statements:
                connection.execute(statement)
            connection.execute("commit")

    def set_costs(self, cost: int) -> None:
        """Let each cost in both marts be the same, as one build leaves them."""
        self.execute(*(f"update {mart} set cost = {cost}" for mart in MARTS))

    def copy(self, place: Path) -> "Warehouse":
        """Give a copy of it, with nothing published."""
        place.mkdir(parents=True, exist_ok=True)
        copied = Warehouse(
            place / self.database.name, place / self.dbt_manifest.name, place / self.folder.name
        )
        shutil.copy(self.database, copied.database)
        shutil.copy(self.dbt_manifest, copied.dbt_manifest)
        return copied


def publish_sample(manifest, database: Path, place: Path) -> Published:
    """Publish the built sample with the project's manifest."""
    path = place / "manifest.json"
    manifest.deepcopy().write(str(path))
    declared = json.loads(path.read_text())
    declared["metadata"]["generated_at"] = datetime.now(UTC).isoformat()  # it is of a parse
    path.write_text(json.dumps(declared))
    return publish(database, path, place / "published")


def write_clinic(place: Path) -> Path:
    """Write the project: costs of departments, and of those with as many visits.

    The first has one test of each severity.
    """
    project = write_project(place, "key=['visit_id'], on_conflict='last'")
    properties = json.loads(json.dumps(PROPERTIES))
    costs = next(each for each in properties["models"] if each["name"] == "department_costs")
    published = {"config": {"meta": {"publish": "internal"}}}
    costs.update(published, description="Costs. Internal: few visits. One row per department.")
    known, single = costs["columns"][0], costs["columns"][1]
    known["description"] = 'Where it was, "as told"; it\'s text.'
    known["data_tests"] = [{"accepted_values": {"name": "known", "arguments": {"values": WARDS}}}]
    single["data_tests"] = [
        {
            "accepted_values": {
                "name": "single",
                "arguments": {"values": [1], "quote": False},
                "config": {"severity": "warn"},
            }
        }
    ]
    sizes = {
        "name": "size_costs",
        "description": "Costs. Internal: few visits. One row per number of visits.",
        "columns": [
            {"name": "n_visits", "data_type": "bigint"},
            {"name": "n_departments", "data_type": "bigint"},
            {"name": "cost", "data_type": "decimal(18, 2)"},
        ],
        **published,
    }
    properties["models"].append(sizes)
    marts = project / "models" / "marts"
    (marts / "_marts__models.yml").write_text(yaml.safe_dump(properties))
    (marts / "clinic" / "size_costs.sql").write_text(SIZES_SQL)
    return project


def build(project: Path, place: Path, *visits: str, arguments: tuple[str, ...] = ()) -> Warehouse:
    """Build the project on visits, as a person does: the manifest is dbt's own."""
    (place / "raw" / "clinic").mkdir(parents=True, exist_ok=True)
    text = "\n".join([",".join(COLUMNS), *visits]) + "\n"
    (place / "raw" / "clinic" / "visits.csv").write_text(text)
    values = {
        "WARDHOUSE_RAW_DIR": str(place / "raw"),
        "WARDHOUSE_DB": str(place / "wardhouse.duckdb"),
        "WARDHOUSE_EXPORT_DIR": str(place / "exports"),
    }
    folders = ["--target-path", str(place / "target"), "--log-path", str(place / "logs")]
    quiet = ["--log-level", "none", "--log-level-file", "none"]
    with environment(values):
        result = invoke([*quiet, "build", *arguments, *folders], project=project)
    assert result.exception is None, result.exception
    return Warehouse(
        place / "wardhouse.duckdb", place / "target" / "manifest.json", place / "published"
    )
