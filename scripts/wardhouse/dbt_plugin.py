"""What the project adds to dbt-duckdb's connection: functions that SQL has no word for."""

import json
from pathlib import Path

from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError


def _land(request: str, landed: str, surveyed: str) -> str:
    from wardhouse.landing.land import land

    return json.dumps(land(json.loads(request), json.loads(landed), json.loads(surveyed)))


def _changed_files(raw_dir: str, scanned: str) -> str:
    """Name the files that are not what was scanned: asked after they were read.

    Parameters
    ----------
    raw_dir
        The raw directory, as the landing plan names it.
    scanned
        JSON array of the scans of the files that were read: `source_file`, `stat`, `content_hash`.

    Returns
    -------
    str
        JSON array of the `source_file` of those that are gone, were touched since their scan or,
        if they were not settled then, hold other bytes. What was read of them is not to be kept.
        Of settled files only the state is looked at, no byte is read.
    """
    from wardhouse.landing.files import is_as_scanned

    return json.dumps(
        [
            file["source_file"]
            for file in json.loads(scanned)
            if not is_as_scanned(
                Path(raw_dir, file["source_file"]), file["stat"], file["content_hash"]
            )
        ]
    )


def _proven_settings(raw_dir: str, request: str) -> str:
    from wardhouse.landing.inspection.report import proven_settings

    return proven_settings(Path(raw_dir), json.loads(request))


def _make_folder(path: str) -> str:
    Path(path).mkdir(parents=True, exist_ok=True)
    return path


class Plugin(BasePlugin):
    """Registers what macros call by `wardhouse_<name>`: the functions of this module.

    Its option in profiles.yml, `is_production`, holds the connection to what target prod needs.
    """

    def initialize(self, plugin_config):
        """Refuse to open a database with wrong or missing settings, in one line.

        Parameters
        ----------
        plugin_config
            The plugin's options in profiles.yml.
        """
        from wardhouse.settings import SettingError, check_connection

        try:
            check_connection(plugin_config.get("is_production", False))
        except SettingError as error:
            raise DbtRuntimeError(str(error)) from error

    def configure_connection(self, conn):
        """Add the functions to a new connection.

        Parameters
        ----------
        conn
            The DuckDB connection that dbt opened.
        """
        for name, function, n_arguments in (
            ("wardhouse_land", _land, 3),
            ("wardhouse_changed_files", _changed_files, 2),
            ("wardhouse_proven_settings", _proven_settings, 2),
            ("wardhouse_make_folder", _make_folder, 1),
        ):
            types = ["VARCHAR"] * n_arguments
            conn.create_function(name, function, types, "VARCHAR", side_effects=True)
