"""What the project adds to dbt-duckdb's connection: functions that SQL has no word for."""

import json
from pathlib import Path

from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError

from wardhouse.exports import settle_exports
from wardhouse.settings import export_directory, in_project
from wardhouse.warehouse import NAME, HeldError, open_to_write, spill_folder


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


def _beginning_of(raw_dir: str, source_file: str) -> str:
    from wardhouse.landing.files import beginning_of

    return beginning_of(Path(raw_dir, source_file))


def _export(step: str, target: str) -> str:
    """Begin or finish an export; return why it cannot be, or nothing."""
    from wardhouse.exports import ExportError, begin_export, finish_export

    try:
        {"begin": begin_export, "finish": finish_export}[step](Path(target))
    except ExportError as error:
        return str(error)
    return ""


def _advise(raw_dir: str, project_dir: str, area: str, feed: str) -> str:
    from wardhouse.landing.inspection.report import advice

    return advice(Path(raw_dir), Path(project_dir), area, feed)


def _proven_settings(raw_dir: str, request: str) -> str:
    from wardhouse.landing.inspection.report import proven_settings

    return proven_settings(Path(raw_dir), json.loads(request))


class Plugin(BasePlugin):
    """Opens the warehouse's file, and adds the functions that SQL has no word for.

    Their names begin with `wardhouse_`. The plugin's option in profiles.yml, `is_production`, holds
    the connection to what target prod needs.
    """

    def initialize(self, plugin_config):
        """Refuse to open a database with wrong or missing settings; let dbt's files be private.

        Parameters
        ----------
        plugin_config
            The plugin's options in profiles.yml.
        """
        from wardhouse.private_files import keep_private, restrict
        from wardhouse.settings import SettingError, check_connection

        flags = get_flags()
        self._project_dir = Path(flags.PROJECT_DIR)
        try:
            check_connection(plugin_config.get("is_production", False), self._project_dir)
            keep_private()
        except SettingError as error:
            raise DbtRuntimeError(str(error)) from error
        # dbt wrote to the one before there was a connection, and keeps the mode of the other.
        restrict(Path(flags.LOG_PATH or "logs", "dbt.log"))
        restrict(Path(flags.TARGET_PATH or "target", "run_results.json"))

    def update_connection_config(self, creds, config):
        """Spill beside the warehouse's file.

        Parameters
        ----------
        creds
            The target's settings.
        config
            What DuckDB is opened with.
        """
        config["temp_directory"] = str(spill_folder(self._database()))

    def configure_connection(self, conn):
        """Add the functions to a new connection, and attach the warehouse's file.

        Parameters
        ----------
        conn
            The DuckDB connection that dbt opened.
        """
        for name, function, n_arguments in (
            ("wardhouse_land", _land, 3),
            ("wardhouse_changed_files", _changed_files, 2),
            ("wardhouse_beginning_of", _beginning_of, 2),
            ("wardhouse_export", _export, 2),
            ("wardhouse_advise", _advise, 4),
            ("wardhouse_proven_settings", _proven_settings, 2),
        ):
            types = ["VARCHAR"] * n_arguments
            conn.create_function(name, function, types, "VARCHAR", side_effects=True)
        try:
            open_to_write(conn, self._database())
        except HeldError as error:
            raise DbtRuntimeError(str(error)) from error
        settle_exports(export_directory(self._project_dir))

    def _database(self) -> Path:
        for attached in self.creds.attach or ():
            if attached.alias == NAME:
                return in_project(Path(attached.path), self._project_dir)
        raise DbtRuntimeError(
            f"profiles.yml attaches no database as {NAME}: take path, database, attach and "
            "search_path from the project's own profiles.yml"
        )
