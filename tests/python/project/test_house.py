"""Where Python lives: an import runs downward, and no engine knows an area."""

import ast
from graphlib import TopologicalSorter

import pytest
from builds import PROJECT

PACKAGE = PROJECT / "scripts" / "wardhouse"
# From the top floor down. A room may import rooms below it, and its own files.
FLOORS = (
    {"cli"},
    {"commands"},
    {"bench"},
    {"api"},
    {"publish", "quality", "areas"},
    {"landing", "streaming", "synthetic", "ml", "report"},
    {"dbt_plugin"},
    {"warehouse", "exports", "routes"},
    {"private_files"},
    {"settings"},
    {"project"},
)
# dbt's own way into the landing.
DOORS = {("dbt_plugin", "landing")}
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def modules_of(tree: ast.AST, module: str) -> set[str]:
    """Name the modules of the package that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by dots"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("wardhouse.") for name in found if name.startswith("wardhouse.")}


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Return the modules that each module of the package imports."""
    trees = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        trees[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text())
    return {
        module: modules_of(tree, module) & (trees.keys() - {module})
        for module, tree in trees.items()
    }


def room_of(module: str) -> str:
    """Name the room of a module: the folder or file below the package."""
    return module.partition(".")[0]


def test_every_room_has_its_floor(imports):
    assert len(imports) > 50
    assert {room_of(module) for module in imports} - {"__init__"} <= FLOOR_OF.keys()


def test_imports_run_downward(imports):
    wrong = [
        f"{module} imports {imported}"
        for module, found in imports.items()
        for imported in found
        if room_of(module) != room_of(imported)
        and FLOOR_OF[room_of(module)] >= FLOOR_OF[room_of(imported)]
        and (room_of(module), room_of(imported)) not in DOORS
    ]
    assert wrong == []


def test_modules_form_no_circle(imports):
    TopologicalSorter(imports).prepare()


def test_areas_know_only_themselves(imports):
    areas = {path.name for path in (PACKAGE / "areas").iterdir() if path.is_dir()} - {"__pycache__"}
    assert len(areas) >= 3
    wrong = [
        f"{module} imports {imported}"
        for module, found in imports.items()
        for imported in found
        for area in areas
        if imported.startswith(f"areas.{area}") and not module.startswith(f"areas.{area}")
    ]
    assert wrong == []


def test_publishing_reads_what_builds_left_and_knows_no_dbt():
    """It runs where no dbt is installed."""
    named = {
        name
        for path in (PACKAGE / "publish").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None), *(alias.name for alias in node.names)]
    }
    assert "duckdb" in named
    assert {name for name in named if name and name.partition(".")[0] == "dbt"} == set()


def test_only_settings_reads_the_environment():
    """One reader, so that every variable has one default and one word."""
    readers = {"environ", "getenv", "putenv"}
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute | ast.Name)
        and (node.attr if isinstance(node, ast.Attribute) else node.id) in readers
    }
    assert found == {"settings.py"}
