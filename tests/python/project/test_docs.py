"""The documentation is whole: links lead somewhere, tables are tables, what it names is there."""

import re
from pathlib import Path

import pytest
import yaml
from builds import PROJECT
from wardhouse.cli import COMMANDS
from wardhouse.project import SAMPLE

DOCS = PROJECT / "docs"
TOP = ("README.md", "CONTRIBUTING.md", "DECISIONS.md", "CHANGELOG.md")
PAGES = [*(PROJECT / name for name in TOP), *sorted(DOCS.glob("*.md"))]
# What people read now; the changelog names what has gone.
PRESENT = [page for page in PAGES if page.name not in ("CHANGELOG.md", "DECISIONS.md")]


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings have."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)]+)\)", prose(page)):
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_are_whole(page):
    """A blank line within a table ends it, and the rows below would be shown as text."""
    lines = ["", *prose(page).splitlines(), ""]
    loose = [
        line
        for before, line, after in zip(lines, lines[1:], lines[2:], strict=False)
        if line.startswith("|")
        and not before.startswith("|")
        and not re.fullmatch(r"\|(:?-+:?\|)+", after)
    ]
    assert loose == []


def test_the_readme_is_short_and_leads_to_every_page():
    readme = (PROJECT / "README.md").read_text()
    assert len(readme.splitlines()) <= 150
    assert [page.name for page in DOCS.iterdir() if f"](docs/{page.name})" not in readme] == []


def meta(declared: dict) -> dict:
    """Return the meta of a table or column of a source, wherever its YAML has it."""
    return declared.get("meta") or declared.get("config", {}).get("meta", {})


def test_feeds_lists_each_feed_with_its_columns():
    """What a stream adds to every message is told once below the tables."""
    page = (DOCS / "feeds.md").read_text()
    landed = {"ingested_at", "stream_position"}
    expected = set()
    for path in (PROJECT / "models" / "staging").glob("*/_*__sources.yml"):
        for table in yaml.safe_load(path.read_text())["sources"][0]["tables"]:
            columns = frozenset(
                column["name"] if meta(column).get("required") else f"[{column['name']}]"
                for column in table["columns"]
                if column["name"] not in landed
            )
            name = f"`{table['name']}`"
            expected.add((f"[{name}]" if meta(table).get("optional") else name, columns))
    rows = re.findall(r"^\| (\[?`\w+`\]?) \| ([\w\[\], ]+) \|$", page, flags=re.MULTILINE)
    assert {(name, frozenset(columns.split(", "))) for name, columns in rows} == expected
    assert all(f"`{name}`" in page for name in landed)


def test_every_setting_is_documented():
    source = "".join(path.read_text() for path in (PROJECT / "scripts").rglob("*.py"))
    names = {name for name in re.findall(r"WARDHOUSE_[A-Z_]+", source) if not name.endswith("_")}
    assert len(names) > 10
    told = "".join(page.read_text() for page in PRESENT)
    kafka = {name for name in names if name.startswith("WARDHOUSE_KAFKA_")}
    assert "WARDHOUSE_KAFKA_<OPTION>" in told
    assert sorted(name for name in names - kafka if name not in told) == []


def test_every_table_and_command_named_is_there():
    """Tables as schema.model; commands of wardhouse and targets of make as they are typed."""
    text = "\n".join(page.read_text() for page in PRESENT if page.name != "extending.md")
    models = {
        path.stem for path in (PROJECT / "models").rglob("*") if path.suffix in (".sql", ".py")
    }
    areas = [path.name for path in (PROJECT / SAMPLE).iterdir() if path.is_dir()]
    named = set(re.findall(rf"`(?:core|ml|quality|{'|'.join(areas)})\.([a-z_]+)`", text))
    feeds = {path.stem for path in (PROJECT / SAMPLE).glob("*/*")}
    assert len(named) > 50
    assert sorted(named - models - feeds - {"duckdb"}) == []  # hospital.duckdb is a file
    typed = set(re.findall(r"(?:^|`)wardhouse ([a-z]+)", text, flags=re.MULTILINE))
    assert {"build", "inspect", "reset"} <= typed <= COMMANDS.keys()
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert {"build", "test"} <= set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.M)) <= targets
