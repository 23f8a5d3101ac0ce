"""Telehealth built again: after any change of its files what a clean build gives."""

import shutil

import pytest
from builds import SAMPLE, keeping
from chains import Chain

pytestmark = [pytest.mark.system, pytest.mark.long]

BUILD = ("build", "--exclude-resource-types", "test", "unit_test")
WHOLE = (*BUILD, "--selector", "telehealth")


@pytest.fixture
def telehealth(dbt, manifest, tmp_path):
    """Return the chain of what keeps rows from build to build, and of what counts the records."""
    parts = [f"+{name}" for name in keeping(manifest, "telehealth")]
    assert len(parts) > 9
    arguments = (*BUILD, "--select", *parts, "+quarantine", "+feed_reconciliation")
    raw = tmp_path / "raw"
    shutil.copytree(SAMPLE / "telehealth", raw / "telehealth")
    return Chain(dbt, raw, tmp_path, *arguments, at_least=30, areas="telehealth")


def test_a_chain_of_changes_gives_what_a_clean_build_gives(telehealth):
    folder = telehealth.raw / "telehealth" / "appointment_events"
    held = [(path, path.read_bytes()) for path in sorted(folder.iterdir())[-3:]]
    for path, _ in held:
        path.unlink()
    telehealth.build()
    for path, content in held[:2]:
        path.write_bytes(content)
    telehealth.build_as_clean()
    # The log learns later of appointments whose events came first.
    log = telehealth.raw / "telehealth" / "appointment_logs.csv"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:200]))
    held[2][0].write_bytes(held[2][1])
    telehealth.build_as_clean()
    log.write_bytes(b"".join(lines))
    telehealth.build_as_clean(*WHOLE)
