"""What decides how a feed is read is found in the project, and nothing else is."""

import shutil

import pytest
from wardhouse.landing.rules import reading_rules

FEED = ("clinic", "visits")
MACROS = """
{% macro parse_day(column) %}
    {{ return(adapter.dispatch('parse_day', 'clinic')(column)) }}
{% endmacro %}

{% macro duckdb__parse_day(column) -%}
    {{ clean(column) }} between {{ var('first_day') }} and {{ var("last_day") }}
{%- endmacro %}

{%- macro clean(column) -%}trim({{ column }}){%- endmacro -%}

{% macro unused(column) %}clean trim {{ var('top_n') }}{% endmacro %}
"""
LOADING = "{% materialization load, default %}{{ settle() }}{% endmaterialization %}\n"


@pytest.fixture
def project(tmp_path):
    """Return a project with macros that call each other, one of them by dispatch."""
    (tmp_path / "macros" / "deep").mkdir(parents=True)
    (tmp_path / "macros" / "parse.sql").write_text(MACROS)
    (tmp_path / "macros" / "deep" / "load.sql").write_text(
        LOADING + "{% macro settle() %}keep the last{% endmacro %}"
    )
    (tmp_path / "dbt_project.yml").write_text(
        "name: x\nvars: {first_day: 1, last_day: 9, top_n: 5}"
    )
    return tmp_path


def rule(project, **changed) -> str:
    """Sum up what decides about the visits."""
    model = {
        "model": "base_clinic__visits",
        "area": "clinic",
        "feed": "visits",
        "code": "select {{ parse_day('day') }}, {{ var('policy') }}",
        "macros": ["parse_day", "load"],
    }
    variables = changed.pop("vars", {})
    request = {"project_dir": str(project), "vars": variables, "models": [model | changed]}
    feeds, models = reading_rules(request)
    assert models == {"base_clinic__visits": feeds[FEED]}
    return feeds[FEED]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("adapter.dispatch('parse_day'", "adapter.dispatch('parse_day' "),
        ("between", "not between"),
        ("trim({{ column }})", "upper({{ column }})"),
        ("keep the last", "keep the first"),
        ("{{ settle() }}", "{{ settle() }} twice"),
        ("last_day: 9", "last_day: 8"),
    ],
)
def test_a_change_of_whatever_is_called_or_read_is_seen(project, old, new):
    before = rule(project)
    assert rule(project) == before
    files = [path for path in project.rglob("*.*") if old in path.read_text()]
    assert len(files) == 1
    files[0].write_text(files[0].read_text().replace(old, new))
    assert rule(project) != before


def test_a_change_of_what_is_not_called_is_no_change(project):
    before = rule(project)
    path = project / "macros" / "parse.sql"
    path.write_text(path.read_text().replace("clean trim", "dirty trim"))
    settings = project / "dbt_project.yml"
    settings.write_text(settings.read_text().replace("top_n: 5", "top_n: 6"))
    assert rule(project, vars={"top_n": 7}) == before


def test_code_and_the_commands_variables_count(project, tmp_path_factory):
    changed = (
        {"code": "select 1"},
        {"vars": {"last_day": 8}},
        {"vars": {"policy": "reject"}},
    )
    assert len({rule(project), *(rule(project, **each) for each in changed)}) == 4
    # Where the project lies does not.
    moved = tmp_path_factory.mktemp("moved") / "project"
    shutil.copytree(project, moved)
    assert rule(moved) == rule(project)
