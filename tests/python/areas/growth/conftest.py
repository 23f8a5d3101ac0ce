"""What tests of growth share: warehouses of both real sets, each built once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from builds import Outcome, shared_data

FULL = {
    "sg2_patient_flow": "sg2_patient_flow_full.csv",
    "salesforce_crm": "salesforce_crm_full.csv",
    "ehr_claims": "ehr_data_full.csv",
}
INFORMATICS = {
    "sg2_patient_flow": "sg2_patient_flow.csv",
    "salesforce_crm": "salesforce_crm.csv",
    "inventory_usage": "inventory_usage.csv",
}
ANSWERS = (
    "build",
    *("--select", "+path:models/marts/growth", "+path:models/ml/growth"),
    *("--exclude", "resource_type:unit_test"),
)


def raw_dir_of(place: Path, folder: str, files: dict[str, str]) -> Path:
    """Make a raw directory whose area growth is a folder of real files, by the feeds' names."""
    (place / "growth").mkdir(parents=True)
    for feed, file in files.items():
        (place / "growth" / f"{feed}.csv").symlink_to(shared_data(folder) / file)
    return place


@pytest.fixture(scope="session")
def growth_raw(tmp_path_factory) -> Path:
    """Return a raw directory with the real providers of a year, and their claims."""
    return raw_dir_of(tmp_path_factory.mktemp("growth_raw"), "growth", FULL)


@pytest.fixture(scope="session")
def growth_real(dbt, built_once: Callable, growth_raw) -> Outcome:
    """Return the warehouse built on them."""
    return built_once("growth_real", lambda place: dbt(growth_raw, place, *ANSWERS, areas="growth"))


@pytest.fixture(scope="session")
def informatics_raw(tmp_path_factory) -> Path:
    """Return a raw directory with the real providers whose supplies are known."""
    place = tmp_path_factory.mktemp("informatics_raw")
    return raw_dir_of(place, "growth_informatics", INFORMATICS)


@pytest.fixture(scope="session")
def growth_informatics(dbt, built_once: Callable, informatics_raw) -> Outcome:
    """Return the warehouse built on them."""
    return built_once(
        "growth_informatics",
        lambda place: dbt(informatics_raw, place, *ANSWERS, areas="growth"),
    )
