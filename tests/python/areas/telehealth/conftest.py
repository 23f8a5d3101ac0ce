"""What tests of telehealth share: the warehouse of the real files, built once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from builds import Outcome, shared_data

FEEDS = ("appointment_logs", "patient_feedback", "patients", "providers")


@pytest.fixture(scope="session")
def telemedicine() -> dict[str, Path]:
    """Return the real files by their feeds."""
    folder = shared_data("telemedicine")
    return {feed: folder / f"{feed}.csv" for feed in FEEDS}


@pytest.fixture(scope="session")
def telehealth_raw(telemedicine: dict[str, Path], tmp_path_factory) -> Path:
    """Return a raw directory whose area telehealth is the real files."""
    raw_dir = tmp_path_factory.mktemp("telehealth_raw")
    (raw_dir / "telehealth").mkdir()
    for feed, path in telemedicine.items():
        (raw_dir / "telehealth" / f"{feed}.csv").symlink_to(path)
    return raw_dir


@pytest.fixture(scope="session")
def real(dbt, built_once: Callable, telehealth_raw: Path) -> Outcome:
    """Return the warehouse built on them, with the area's data tests."""
    build = ("build", "--selector", "telehealth")
    return built_once(
        "telehealth_real", lambda place: dbt(telehealth_raw, place, *build, areas="telehealth")
    )
