"""The hospital built again: after any change of its files what a clean build gives.

What building again promises of any model is asked in tests/python/functional; here, of the
hospital's own.
"""

import json
import random
import shutil
from pathlib import Path

import pytest
from builds import areas_of
from chains import Chain
from contents import contents
from wardhouse.areas.hospital.sample import generate_hospital

pytestmark = [pytest.mark.system, pytest.mark.long]

TREATMENTS, DOCTORS, FEEDBACK = "patients_data_with_doctor", "doctors_info", "patient_feedback"
HEADER = "treatment_id,patient_id,doctor_id,treatment_type,treatment_cost,room_cost,treatment_date"
# Contents are compared here; that the data tests hold is asked elsewhere.
UNTESTED = ("build", "--exclude-resource-types", "test", "unit_test", "--select")
HOSPITAL = (
    "path:models/**/hospital",
    "dim_date",
    "dim_patient",
    "quarantine",
    "feed_reconciliation",
)
BUILD = (*UNTESTED, *(f"+{part}" for part in HOSPITAL))
EXPORTS = [
    "data_warehouse/processed_healthcare_data.csv",
    "data_warehouse/processed_healthcare_data.parquet",
    "reverse_etl_output/enriched_healthcare_data.csv",
    "reverse_etl_output/enriched_healthcare_data.parquet",
]


class Hospital(Chain):
    """The chain of the hospital."""

    @property
    def folder(self) -> Path:
        """Give the folder of the area."""
        return self.raw / "hospital"

    @property
    def treatments(self) -> Path:
        """Give the folder of the treatments' files."""
        return self.folder / TREATMENTS


@pytest.fixture
def hospital(dbt, manifest, built_elsewhere, tmp_path) -> Hospital:
    """Return 300 treatments in three files; what tells of other areas, nothing, is built before."""
    raw = tmp_path / "raw"
    generate_hospital(raw, 300, files=3, truth_dir=tmp_path / "truth")
    others = [f"path:models/**/{area}" for area in areas_of(manifest) if area != "hospital"]
    pairs = (f"+{part},{other}" for part in HOSPITAL for other in others)
    start = built_elsewhere("elsewhere", dbt, raw, *UNTESTED, *pairs)
    arguments = (*BUILD, "--exclude", *others)
    return Hospital(dbt, raw, tmp_path, *arguments, at_least=30, start=start)


def write(path: Path, *lines: str) -> None:
    path.write_text("\n".join([HEADER, *lines]) + "\n")


def test_a_chain_of_changes_gives_what_a_clean_build_gives(hospital):
    last = hospital.treatments / "part-0003.csv"
    aside = last.rename(hospital.place / last.name)
    hospital.build()
    # Files come: the rest of the treatments, and some that are wrong.
    aside.rename(last)
    write(
        hospital.treatments / "part-0000.csv",
        "T9001,P0001,D001,ECG,12.5,0,2025-01-02",
        "T9002,P9999,D999,ECG,N/A,0,2025-02-30",
        "T9003,,D001,ECG,1,0,2025-01-02",
        "T9004,P0001,D001,ECG,1",
        "T0100,P0001,D001,Something else,1,0,2025-01-02",
    )
    outcome = hospital.build_as_clean()
    revenue = "select revenue_amount::varchar from core.fct_treatments where treatment_id = "
    assert outcome.query(f"{revenue} 'T9001'") == [("12.50",)]
    assert outcome.query(f"{revenue} 'T0100'") == []
    # Files change, a doctor is described again, and answers are taken back.
    write(hospital.treatments / "part-0000.csv", "t9001 ,P0001,D001,ECG,12.5,0,2025-01-02")
    part = hospital.treatments / "part-0002.csv"
    lines = part.read_bytes().splitlines(keepends=True)
    added = b"T9001,P0001,D001,ECG,12.5,0,2025-01-02\n"
    part.write_bytes(b"".join([*lines[:20], *lines[30:], added]))
    (hospital.folder / f"{DOCTORS}.csv").rename(hospital.folder / "first.csv")
    (hospital.folder / DOCTORS).mkdir()
    (hospital.folder / "first.csv").rename(hospital.folder / DOCTORS / "first.csv")
    again = hospital.folder / DOCTORS / "second.csv"
    again.write_text("doctor_id,doctor_name,specialty\nD001,Doctor 0001,Changed\n")
    feedback = hospital.folder / f"{FEEDBACK}.json"
    feedback.write_text(json.dumps(json.loads(feedback.read_text())[5:]))
    outcome = hospital.build_as_clean()
    specialty = "select specialty from core.dim_provider where provider_id = 'D001'"
    assert outcome.query(specialty) == [("Changed",)]
    assert outcome.query(f"{revenue} 'T9001'") == [("12.50",)]
    # Files go.
    (hospital.treatments / "part-0000.csv").unlink()
    (hospital.treatments / "part-0001.csv").unlink()
    again.unlink()
    outcome = hospital.build_as_clean()
    assert outcome.query(specialty) != [("Changed",)]
    assert outcome.query(f"{revenue} 'T9001'") == [("12.50",)]
    assert 150 < outcome.query("select count(*) from core.fct_treatments")[0][0] < 250
    files = [path for path in outcome.exports.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(outcome.exports).as_posix() for path in files) == EXPORTS
    before = contents(hospital.database)
    assert contents(hospital.build().database) == before


def test_the_order_of_raw_rows_does_not_matter(hospital):
    before = contents(hospital.build().database)
    generator = random.Random(7)
    for part in hospital.treatments.iterdir():
        header, *lines = part.read_bytes().splitlines(keepends=True)
        generator.shuffle(lines)
        part.write_bytes(b"".join([header, *lines]))
    feedback = hospital.folder / f"{FEEDBACK}.json"
    answers = json.loads(feedback.read_text())
    generator.shuffle(answers)
    feedback.write_text(json.dumps(answers))
    # Master data keeps its order: there the last description counts.
    after = contents(hospital.build().database)
    results = {table for table in before if table.split(".")[0] in ("core", "hospital", "ml")}
    assert len(results) > 15
    assert {table for table in results if before[table] != after[table]} == set()


def test_other_settings_give_what_a_clean_build_gives_and_another_directory_is_refused(hospital):
    generate_hospital(hospital.raw, 900, files=3, truth_dir=hospital.place / "truth")
    hospital.build()
    (hospital.treatments / "part-0001.csv").unlink()
    query = (
        "select count(*) from quality.quarantine "
        "where reason in ('missing_treatment_cost', 'missing_room_cost')"
    )
    reject = (*hospital.arguments, "--vars", "{missing_cost_policy: reject}")
    assert hospital.build_as_clean(*reject).query(query)[0][0] > 5
    assert hospital.build_as_clean().query(query) == [(0,)]
    hospital.raw = hospital.place / "other"
    generate_hospital(hospital.raw, 120, seed=5)
    for arguments in (hospital.arguments, (*hospital.arguments, "--full-refresh")):
        refused = hospital.run(hospital.warehouse, *arguments)
        assert "this warehouse was built from" in refused.message


def test_a_build_that_failed_on_its_exports_is_made_good_by_the_next(hospital):
    hospital.build()
    shutil.rmtree(hospital.warehouse / "exports")
    (hospital.warehouse / "exports").write_text("not a folder")
    (hospital.treatments / "part-0001.csv").unlink()
    outcome = hospital.run(hospital.warehouse)
    assert not outcome.success
    assert outcome.statuses["processed_healthcare_data"] == "error"
    (hospital.warehouse / "exports").unlink()
    hospital.build_as_clean()
    files = [path for path in outcome.exports.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(outcome.exports).as_posix() for path in files) == EXPORTS
