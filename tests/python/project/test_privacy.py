"""The page for a compliance officer says what the project is: places, exports, identifiers."""

import re

import pytest
from builds import PROJECT

PAGE = PROJECT / "docs" / "privacy.md"
CODE = re.compile(r"`([^`]+)`")


def section(heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading, cell by cell."""
    _, _, text = PAGE.read_text().partition(f"# {heading}\n")
    rows = [line for line in text.partition("\n#")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def pii_of(column) -> str | None:
    return {**column.meta, **(getattr(column.config, "meta", None) or {})}.get("pii")


@pytest.fixture(scope="module")
def marked(manifest) -> dict[str, dict[str, set[str]]]:
    """Return, by mark and column, the schemas that have it."""
    found: dict[str, dict[str, set[str]]] = {"direct": {}, "quasi": {}}
    for node in [*manifest.nodes.values(), *manifest.sources.values()]:
        for column in getattr(node, "columns", {}).values():
            if mark := pii_of(column):
                found[mark].setdefault(column.name, set()).add(node.schema)
    return found


def test_every_place_that_identifies_is_named(marked):
    places = {name for row in section("What is held, and where") for name in CODE.findall(row[0])}
    schemas = set().union(*marked["direct"].values())
    assert len(schemas) > 10
    assert schemas - places == set()


def test_exports_that_name_people_are_those_declared(manifest):
    declared = {}
    for exposure in manifest.exposures.values():
        [model] = [manifest.nodes[name] for name in exposure.depends_on.nodes]
        direct = [column.name for column in model.columns.values() if pii_of(column) == "direct"]
        assert (exposure.config.meta.get("pii") == "direct") == bool(direct), exposure.name
        assert exposure.config.meta["audience"] == "internal", exposure.name
        if direct:
            declared[exposure.name] = (model.name, direct)
    told = {}
    for row in section("Exports that name people"):
        [exposure], [model], columns = map(CODE.findall, row)
        told[exposure] = (model, columns)
    assert told == declared
    assert len(told) > 2


def test_every_export_is_declared(manifest):
    """A hook that writes a file for readers has an exposure that says for whom."""
    exporting = {
        node.name
        for node in manifest.nodes.values()
        if any("export_to(" in hook.sql for hook in getattr(node.config, "post_hook", []))
    }
    declared = {name.split(".")[-1] for each in manifest.exposures.values()
                for name in each.depends_on.nodes}  # fmt: skip
    assert exporting == declared
    assert len(exporting) > 3


def test_the_eighteen_identifiers_name_columns_that_there_are(marked):
    rows = section("HIPAA's Safe Harbor list")
    assert [row[0] for row in rows] == [str(number) for number in range(1, 19)]
    named = {name for row in rows for name in CODE.findall(row[2])}
    known = marked["direct"].keys() | marked["quasi"].keys()
    assert named - known == set()
    assert marked["direct"].keys() - named == set(), "say where each stands"
