"""What dbt gives to a model, for sqlfluff: the macros, and what these ask of dbt."""

import re
from pathlib import Path
from types import SimpleNamespace

import yaml
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from sqlfluff.core.templaters.builtins.dbt import DBT_BUILTINS, MacroReturn

ONE_MACRO = re.compile(r"\{%-?\s*macro\s+(\w+).*?\{%-?\s*endmacro\s*-?%\}", re.DOTALL)
COLUMN = re.compile(r"[A-Za-z_][\w.]*")
VARIABLES = yaml.safe_load(Path("dbt_project.yml").read_text(encoding="utf-8"))["vars"]
ENVIRONMENT = SandboxedEnvironment(
    extensions=["jinja2.ext.do"], undefined=StrictUndefined, keep_trailing_newline=True
)
CONTEXT = dict(DBT_BUILTINS)


class Macro:
    """A macro of the project, compiled when a file first calls it.

    A macro alone can return what is no text to whoever calls it, also from the same file. One that
    renders a `case` renders as a call of its name: the lint is of the file, and what macros write
    would take most of its time.
    """

    def __init__(self, name, source):
        self.name, self.source, self.compiled = name, source, None

    def __call__(self, *arguments, **named):
        """Return what the macro returns or renders."""
        if self.compiled is None:
            template = ENVIRONMENT.from_string(self.source, globals=CONTEXT)
            self.compiled = getattr(template.module, self.name)
        try:
            text = self.compiled(*arguments, **named)
        except MacroReturn as returned:
            return returned.value
        bare = text.strip()
        if not (bare.startswith("case") and bare.endswith("end")):
            return text
        columns = [each for each in arguments if isinstance(each, str) and COLUMN.fullmatch(each)]
        return f"{self.name}({', '.join(columns)})"


class Config(dict):
    """The configuration of the model, which the macros that it calls read."""

    def __call__(self, **options):
        """Keep options, and render nothing."""
        self.update(options)
        return ""


class Adapter:
    """Renders what each engine spells its own way as a call of its name."""

    def dispatch(self, name, package):
        """Return what renders a dispatched macro."""
        return lambda *arguments: f"{name}({arguments[0]})"

    def quote(self, name):
        """Return a name as it is."""
        return name


class Exceptions:
    """Stops the lint of a file where dbt would stop."""

    def raise_compiler_error(self, message):
        """Refuse what a macro refuses."""
        raise ValueError(message)


def variable(name, *default):
    """Return a variable as dbt_project.yml has it."""
    return VARIABLES.get(name, *default) if default else VARIABLES[name]


CONTEXT.update(
    adapter=Adapter(),
    config=Config(),
    dbt=SimpleNamespace(datediff=lambda start, end, unit: f"date_diff('{unit}', {start}, {end})"),
    exceptions=Exceptions(),
    # Macros that ask the warehouse return what they return while dbt parses.
    execute=False,
    flags=SimpleNamespace(WHICH="parse", EMPTY=False),
    invocation_args_dict={},
    invocation_id="",
    model=SimpleNamespace(name="this_model"),
    modules=SimpleNamespace(re=re),
    var=variable,
)
for path in sorted(Path("macros").rglob("*.sql")):
    for found in ONE_MACRO.finditer(path.read_text(encoding="utf-8")):
        CONTEXT[found[1]] = Macro(found[1], found[0])
# A loop over what all areas bring is linted once as its beginning and once as its end.
brought_by_areas = CONTEXT["of_all_areas"]
CONTEXT["of_all_areas"] = lambda kind: brought_by_areas(kind)[:2]
CONTEXT["watched_columns"] = lambda base: ["a_column"]
globals().update(CONTEXT)
