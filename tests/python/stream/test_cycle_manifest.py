"""A cycle knows a part of the project, and builds and compares as if it knew all of it."""

import pytest
from builds import environment, invoke
from wardhouse.streaming.build import base_model, selected
from wardhouse.streaming.cycle_manifest import of_cycles

FEEDS = ("patient_flow.patient_events", "telehealth.appointment_logs")


@pytest.fixture(scope="module", params=FEEDS)
def feed(request) -> str:
    """Return the name of a feed."""
    return request.param


@pytest.fixture(scope="module")
def cycles(manifest, feed):
    """Return what cycles of a feed know of the project."""
    return of_cycles(manifest, base_model(feed))


def names_selected(manifest, feed: str, place) -> list[str]:
    _, *names = selected(feed)[: selected(feed).index("--cache-selected-only")]
    places = ["--target-path", str(place), "--log-path", str(place)]
    listed = ["--quiet", "ls", "--select", *names, "--resource-type", "model", *places]
    with environment({"WARDHOUSE_DB": str(place / "wardhouse.duckdb")}):
        result = invoke([*listed, "--output", "name"], manifest=manifest)
    assert result.success, result.exception
    return sorted(result.result)


def test_cycle_builds_what_it_would_build_of_the_whole_project(manifest, cycles, feed, tmp_path):
    whole = names_selected(manifest, feed, tmp_path)
    assert len(whole) > 2
    assert names_selected(cycles, feed, tmp_path) == whole


def test_cycle_decides_by_the_same_code_what_is_read_again(manifest, cycles):
    keeps_rows = [
        name
        for name, node in manifest.nodes.items()
        if node.config.materialized.startswith("incremental_by_")
    ]
    ahead, seen = list(keeps_rows), set()
    while ahead:
        name = ahead.pop()
        seen.add(name)
        before, now = manifest.nodes[name], cycles.nodes[name]
        assert (now.raw_code, now.depends_on) == (before.raw_code, before.depends_on)
        ahead += [
            each
            for each in before.depends_on.nodes
            if each in manifest.nodes and manifest.nodes[each].config.materialized == "view"
        ]
    assert len(seen) > len(keeps_rows) > 20
    assert cycles.sources == manifest.sources
    assert {name for name in manifest.nodes if name.startswith("seed.")} <= cycles.nodes.keys()


def test_cycle_knows_no_test_and_leaves_the_whole_project_as_it_is(manifest, cycles):
    assert {node.resource_type for node in cycles.nodes.values()} == {"model", "seed", "operation"}
    assert len(cycles.nodes) < len(manifest.nodes) / 3
    assert manifest.unit_tests
    assert manifest.exposures
    assert manifest.metrics
