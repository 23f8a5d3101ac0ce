"""sqlfluff as this project runs it: what it cannot lint is an error, and macros are read once.

By itself it warns of a file that it skips and passes, and reads all macros again for each file.
"""

import gc
import logging
import sys

from sqlfluff.cli.commands import cli
from sqlfluff.core.templaters import JinjaTemplater

read_libraries = JinjaTemplater._extract_libraries_from_config
libraries = {}


def libraries_read_once(self, config):
    """Return what the first file of this process was rendered with, without its configuration."""
    if not libraries:
        libraries.update(read_libraries(self, config))
    libraries["config"].clear()
    return libraries


class Warnings(logging.Handler):
    """Counts what sqlfluff warns of: files that it skips, and rules that fail."""

    count = 0

    def emit(self, record):
        """Count one."""
        self.count += 1


# Here, and not below: each further process imports this file.
JinjaTemplater._extract_libraries_from_config = libraries_read_once
# Looking for garbage among a file's many small objects takes a sixth of the time.
gc.set_threshold(200_000, 20, 20)

if __name__ == "__main__":
    warnings = Warnings(logging.WARNING)
    logging.getLogger("sqlfluff.linter").addHandler(warnings)
    try:
        cli()
    except SystemExit as end:
        if warnings.count and not end.code:
            sys.exit("files were not linted: see the warnings above")
        raise
