"""Two areas whose identifiers one authority issues: each speaks of its own members."""

import shutil

import duckdb
import pytest
from builds import SAMPLE

AREAS = "hospital,telehealth"
ARGUMENTS = ("build", "--exclude-resource-types", "test", "unit_test", "--select")
# Each mart that has a row for members without any event, with the key of the member.
MARTS = {
    "hospital.doctor_revenue_ranking": ("doctor_id", "core.hospital_providers", "provider_id"),
    "telehealth.provider_scorecard": ("provider_id", "core.telehealth_providers", "provider_id"),
    "telehealth.patient_activity": ("patient_key", "core.telehealth_patients", "patient_key"),
    "ml.vip_features": ("patient_id", "core.patient_provider_totals", "patient_id"),
}


@pytest.fixture(scope="module")
def shared(dbt, tmp_path_factory):
    """Return the warehouse of the sample where telehealth takes the hospital's authority."""
    place = tmp_path_factory.mktemp("shared_authority")
    seeds = place / "seeds.duckdb"
    shutil.copy(dbt.seeds, seeds)
    with duckdb.connect(str(seeds)) as connection:
        connection.execute(
            "update reference.source_systems set assigning_authority = 'hospital' "
            "where source_system = 'telehealth'"
        )
    outcome = dbt(
        SAMPLE, place / "built", *ARGUMENTS, "+provider_need_totals", "+hospital_providers",
        areas=AREAS, start=seeds,
    )  # fmt: skip
    assert outcome.success, outcome.message
    return outcome


@pytest.fixture(scope="module")
def with_marts(dbt, shared):
    """Return it with the marts, too."""
    marts = [f"+{name.split('.')[1]}" for name in MARTS]
    outcome = dbt(SAMPLE, shared.database.parent, *ARGUMENTS, *marts, areas=AREAS)
    assert outcome.success, outcome.message
    return outcome


@pytest.mark.system
@pytest.mark.parametrize("mart", MARTS)
def test_an_area_ranks_its_own_members(with_marts, mart):
    column, members, key = MARTS[mart]
    found = with_marts.query(f"select distinct {column} from {mart} order by all")
    assert len(found) > 20
    assert found == with_marts.query(f"select distinct {key} from {members} order by all")


def test_needs_are_served_by_the_platforms_own_providers(shared):
    schema = shared.query(
        "select table_schema from information_schema.tables "
        "where table_name = 'provider_need_totals'"
    )[0][0]
    [(n, n_of_others)] = shared.query(
        "select count(distinct provider_id), count(distinct provider_id) filter ("
        "provider_id not in (select provider_id from core.telehealth_providers)) "
        f"from {schema}.provider_need_totals"
    )
    assert n > 0
    assert n_of_others == 0


def test_the_authority_is_shared(shared):
    assert shared.query("select distinct assigning_authority from core.dim_provider") == [
        ("hospital",)
    ]
    [(n_all, n_of_hospital)] = shared.query(
        "select (select count(*) from core.dim_provider), "
        "(select count(*) from core.hospital_providers)"
    )
    assert n_all > n_of_hospital > 20
