# ruff: noqa: S701, S608 - what is rendered is the project's own SQL, not HTML
"""How a build reads the records of a feed: its base model, rendered without dbt.

The base model says which parse macro reads which column. Rendering it here, with the project's own
macros, gives the build's own expressions: there is no second copy of the rules.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import CodeType, MappingProxyType, SimpleNamespace
from typing import Any, NoReturn

import jinja2

from wardhouse.landing.feeds import Feed
from wardhouse.project import read_yaml
from wardhouse.warehouse import identifier, quote

RECORDS = "feed_records"  # relation that the rendered model reads
_MACRO = re.compile(r"({%-?\s*macro\s+)(\w+)")
_PARSE = "parse_"
_SPELLING = "known_by_spelling"
_EXTENSIONS = ("jinja2.ext.do",)


class RulesError(Exception):
    """A base model cannot be rendered without dbt."""


@dataclass(frozen=True)
class Reading:
    """How one column is read: its kind (id, amount, date, ..., word, text) and the SQL of it."""

    kind: str
    sql: str


@dataclass(frozen=True)
class Rules:
    """How a feed is read: each column, when it is blank, and all of it as the base model."""

    columns: dict[str, Reading]
    blank: dict[str, str]
    model: str


class _ReturnedError(Exception):
    """Carries the value of a macro that returns one, as dbt's `return` does."""


class _Config(dict):
    """The settings of a model: called to set them, asked for one by name."""

    def __call__(self, **settings: Any) -> str:
        self.clear()
        self.update(settings)
        return ""


class BaseModels:
    """The base models of a project, with the macros, variables and seeds that they call.

    Parameters
    ----------
    project_dir
        Folder that holds `dbt_project.yml`.
    variables
        Those that come before the project's.
    """

    def __init__(
        self, project_dir: Path, variables: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self._folder = project_dir
        self._options: dict[str, str] = {}
        self._parsed: dict[str, Reading] = {}
        self._depth = 0
        project = read_yaml(project_dir / "dbt_project.yml")
        variables = {**project.get("vars", {}), **variables}
        self._environment = jinja2.Environment(extensions=_EXTENSIONS)
        macros = self._macros()
        self._environment.globals |= macros | {
            "adapter": SimpleNamespace(dispatch=self._dispatch),
            "config": _Config(),
            "exceptions": SimpleNamespace(raise_compiler_error=_refuse),
            "execute": False,
            "feed_options": lambda *feed: (
                macros["feed_options"](*feed) | self._options | {"declared": list(self._options)}
            ),
            "modules": SimpleNamespace(re=re),
            "ref": self._seed,
            "return": _return,
            "source": lambda area, feed: RECORDS,
            "var": lambda name, default="": variables.get(name, default),
        }

    def rules(self, feed: Feed, options: dict[str, str]) -> Rules:
        """Render how a feed is read with some options of `feeds.csv`.

        Raises
        ------
        RulesError
            If there is no such base model, or it uses what only dbt knows.
        """
        self._options, self._parsed, self._depth = options, {}, 0
        path = Path("models", "staging", feed.area, f"base_{feed.area}__{feed.name}.sql")
        names = [column.name for column in feed.columns]
        try:
            model = self._template((self._folder / path).read_text()).render()
            is_blank = self._environment.globals["is_blank"]
            blank = {name: is_blank(identifier(name)) for name in names}
        except (OSError, jinja2.TemplateError, TypeError, LookupError) as error:
            raise RulesError(f"{path} cannot be rendered: {error}") from error
        as_they_are = {name: Reading("text", identifier(name)) for name in names}
        parsed = {name: reading for name, reading in self._parsed.items() if name in as_they_are}
        return Rules(as_they_are | parsed, blank, model)

    def _macros(self) -> dict[str, Callable[..., Any]]:
        """Wrap every macro, in files in which macros call each other through these wrappers."""
        found = {}
        for path in sorted(self._folder.glob("macros/**/*.sql")):
            text = path.read_text()
            module = cache(partial(self._module, _MACRO.sub(r"\1macro_\2", text)))
            found |= {name: partial(self._call, module, name) for _, name in _MACRO.findall(text)}
        return found

    def _module(self, text: str) -> Any:
        return self._template(text).module

    def _template(self, text: str) -> jinja2.Template:
        known = self._environment.globals
        return jinja2.Template.from_code(self._environment, _compiled(text), known)

    def _call(self, module: Callable[[], Any], name: str, *arguments: Any, **settings: Any) -> Any:
        """Call a macro: its value may be returned, and what a model parses by it is noted."""
        self._depth += 1
        try:
            value = getattr(module(), f"macro_{name}")(*arguments, **settings)
        except _ReturnedError as returned:
            [value] = returned.args
        finally:
            self._depth -= 1
        if self._depth == 0 and name.startswith((_PARSE, _SPELLING)):
            self._note(name, *arguments, **settings)
        return value

    def _note(self, name: str, column: str, *arguments: Any, **settings: Any) -> None:
        """Keep the expression that reads a column, by the column's own name alone."""
        column = column.rpartition(".")[2]
        own_name = identifier(column)
        self._depth += 1
        if name == _SPELLING:
            seed, *options = arguments
            known_by = self._environment.globals
            word = known_by["respelled"](own_name, seed, *options) if options else own_name
            known = f"{known_by['spelling'](word)} in (select spelling from {self._seed(seed)})"
            sql = f"case when {known} then {own_name} end"
            self._parsed.setdefault(column, Reading("word", sql))
        else:
            sql = self._environment.globals[name](own_name, *arguments, **settings)
            self._parsed[column] = Reading(name.removeprefix(_PARSE).removesuffix("_or_day"), sql)
        self._depth -= 1

    def _dispatch(self, name: str, _package: str = "") -> Callable[..., Any]:
        known = self._environment.globals
        return known.get(f"duckdb__{name}") or known[f"default__{name}"]

    def _seed(self, name: str) -> str:
        path = next(self._folder.glob(f"seeds/**/{name}.csv"), None)
        if path is None:
            raise LookupError(f"no seed {name}")
        return f"(select * from read_csv({quote(path.as_posix())}))"


@cache
def _compiled(text: str) -> CodeType:
    """Compile a template; the code holds none of what is known to whoever runs it."""
    return jinja2.Environment(extensions=_EXTENSIONS).compile(text)


def _return(value: Any = None) -> NoReturn:
    raise _ReturnedError(value)


def _refuse(message: str) -> NoReturn:
    raise RulesError(message)
