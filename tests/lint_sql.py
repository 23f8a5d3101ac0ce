"""sqlfluff, with each macro compiled once: by itself it compiles them all twice for each file."""

from jinja2 import Environment
from sqlfluff.cli.commands import cli

compile_template = Environment.compile
compiled = {}


def compile_once(self, source, *place, **options):
    """Compile a text that comes from no file once: every environment here has the same settings."""
    if place or options or not isinstance(source, str):
        return compile_template(self, source, *place, **options)
    if source not in compiled:
        compiled[source] = compile_template(self, source)
    return compiled[source]


if __name__ == "__main__":
    Environment.compile = compile_once
    cli()
