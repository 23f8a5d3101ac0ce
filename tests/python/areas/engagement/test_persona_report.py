"""The report and the notebook on the built sample."""

import re
from html import unescape

import nbformat
import pytest
from builds import PROJECT
from nbclient import NotebookClient
from wardhouse.areas.engagement.charts import charts
from wardhouse.report.tables import open_tables
from wardhouse.report.write import write_report

NOTEBOOK = PROJECT / "docs" / "notebooks" / "personas.ipynb"


@pytest.fixture(scope="module")
def found(sample):
    """Return the charts of the sample, by name."""
    with open_tables(sample.database) as read:
        return {each.name: each for each in charts(read)}


def test_patients_and_physicians_have_every_chart_with_data(found):
    names = [name.rsplit("_", 1)[0] for name in found]
    assert names[:11] == names[11:]
    for name, chart in found.items():
        told = unescape(chart.figure.layout.title.subtitle.text)
        assert re.search(r"\bn = [1-9]", told), name
        assert "Not reliable" not in told, name


def test_no_page_of_the_sample_holds_an_id_or_a_key(sample, found, tmp_path):
    people = sample.query("select distinct person_id, person_key from core.fct_engagement")
    assert len(people) > 800
    for page in write_report(list(found.values()), tmp_path, "Personas", pictures=False):
        text = page.read_text()
        held = [name for name, key in people if name in text or str(key) in text]
        assert held == [], page.name


def test_people_drawn_are_those_of_the_personas(sample, found):
    sizes = dict(
        sample.query(
            "select persona_number, n_people from engagement.persona_profiles "
            "where person_type = 'patient'"
        )
    )
    drawn = {int(each.name[0]): len(each.x) for each in found["space_patient"].figure.data}
    assert drawn == sizes


def test_the_notebook_runs_from_top_to_bottom(sample, tmp_path, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_DB", str(sample.database))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path}})
    client.execute()
    outputs = [cell["outputs"] for cell in notebook.cells if cell["cell_type"] == "code"]
    shown = [each for found in outputs for each in found]
    assert len(shown) > 15
    assert "groups: reliable, p = 0.0" in str(shown)
    chapters = re.findall(
        r"^## (\d\. \w+)", "\n".join(cell.source for cell in notebook.cells), re.M
    )
    assert chapters == ["1. Exploration", "2. Cleaning", "3. Clustering", "4. Results"]
    ids = {name for (name,) in sample.query("select person_id from core.fct_engagement")}
    assert not any(name in str(shown) for name in ids)


def test_the_notebook_reads_marts_and_changes_nothing():
    source = NOTEBOOK.read_text()
    tables = set(re.findall(r'table\(\\"([a-z_.]+)\\"\)', source))
    assert len(tables) >= 12
    assert {name.split(".")[0] for name in tables} == {"engagement", "ml"}
    assert "read_only" in source
