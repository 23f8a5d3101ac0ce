"""What the project adds to dbt-duckdb's connection: two functions that SQL has no word for."""

import json
from pathlib import Path

from dbt.adapters.duckdb.plugins import BasePlugin


def _land(request: str) -> str:
    from wardhouse.landing import land

    return json.dumps(land(json.loads(request)))


def _make_folder(path: str) -> str:
    Path(path).mkdir(parents=True, exist_ok=True)
    return path


class Plugin(BasePlugin):
    """Registers `wardhouse_land` (JSON to JSON) and `wardhouse_make_folder` (path to path)."""

    def configure_connection(self, conn):
        """Add the functions to a new connection.

        Parameters
        ----------
        conn
            The DuckDB connection that dbt opened.
        """
        for name, function in (
            ("wardhouse_land", _land),
            ("wardhouse_make_folder", _make_folder),
        ):
            conn.create_function(name, function, ["VARCHAR"], "VARCHAR", side_effects=True)
