"""What decides how a feed's records are read, found in the dbt project: nothing of it is listed."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from wardhouse.project import read_yaml

HERE = Path(__file__).parent
BLOCK = re.compile(
    r"{%-?\s*(macro|materialization)\s+(\w+)\b.*?{%-?\s*end\1\s*-?%}", flags=re.DOTALL
)
CALL = re.compile(r"\b(\w+)\s*\(|\bdispatch\(\s*['\"](\w+)")
VARIABLE = re.compile(r"\bvar\(\s*['\"](\w+)")


def read_macros(project: Path) -> dict[str, str]:
    """Read the project's macros: texts by name, those of all engines under the name they share."""
    found: dict[str, str] = {}
    for path in sorted((project / "macros").rglob("*.sql")):
        for block in BLOCK.finditer(path.read_text(encoding="utf-8")):
            name = block[2].rpartition("__")[2]
            found[name] = found.get(name, "") + block[0]
    return found


def called(macros: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Pick the macros of these names, and all that they call in turn."""
    found: dict[str, str] = {}
    ahead = list(names)
    while ahead:
        name = ahead.pop()
        if name in macros and name not in found:
            found[name] = macros[name]
            ahead += [word for call in CALL.findall(macros[name]) for word in call if word]
    return found


def reading_rules(request: dict[str, Any]) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """Sum up what decides how each feed is read and each model that keeps rows is built.

    Without files and their options, and what seeds hold: their tables say it when they are read.

    Parameters
    ----------
    request
        `project_dir`; `vars`, those of the command; and `models`, with `model`, `area` and `feed`
        (of base models, else null), `code` and `macros` (names of those that the code calls).

    Returns
    -------
    feeds, models
        A hash by area and feed, of its base model, and one by model: of its code, the macros that
        it calls, directly or not, the variables that either reads, and the landing's own code.
    """
    project = Path(request["project_dir"])
    settings = read_yaml(project / "dbt_project.yml")
    variables = {**settings.get("vars", {}), **request["vars"]}
    macros = read_macros(project)
    package = [path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.py"))]
    feeds, models = {}, {}
    for model in request["models"]:
        texts = {"": model["code"], **called(macros, model["macros"])}
        names = {name for text in texts.values() for name in VARIABLE.findall(text)}
        values = {name: str(variables.get(name)) for name in names}
        decisive = json.dumps([texts, values, package], sort_keys=True)
        rule = hashlib.sha256(decisive.encode()).hexdigest()
        models[model["model"]] = rule
        if model["feed"]:
            feeds[model["area"], model["feed"]] = rule
    return feeds, models
