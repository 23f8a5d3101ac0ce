"""`wardhouse publish`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from wardhouse import settings
from wardhouse.commands.options import Audience
from wardhouse.commands.printing import fail, print_line
from wardhouse.project import project_directory

if TYPE_CHECKING:
    from wardhouse.publish.serving.postgresql import Loaded


def publish_command(
    keep: Annotated[
        int, typer.Option(min=1, help="Versions that stay; the one in use always does.")
    ] = 5,
    force: Annotated[
        bool, typer.Option("--force", help="Publish though tests failed; the manifest says so.")
    ] = False,
    target_path: Annotated[
        Path | None, typer.Option(help="Folder of dbt's artifacts, where the build named another.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="postgresql://…", help="A PostgreSQL that is to hold the version too."
        ),
    ] = None,
    audience: Annotated[
        Audience | None,
        typer.Option(
            help="Of what is loaded. By default shared; internal where PostgreSQL runs on this "
            "machine."
        ),
    ] = None,
    current: Annotated[
        bool, typer.Option("--current", help="Load the newest version; publish none.")
    ] = False,
    redshift_script: Annotated[
        Path | None, typer.Option(help="File that takes statements that load Amazon Redshift.")
    ] = None,
    s3_prefix: Annotated[
        str | None,
        typer.Option(metavar="s3://…", help="Where Redshift will find the published folder."),
    ] = None,
) -> None:
    """Write the answers that declare an audience as Parquet, for readers who must not lock a build.

    A version is a folder of WARDHOUSE_PUBLISH_DIR with its manifest and views for DuckDB. Readers
    see the one before until it is whole. With --to, PostgreSQL then reads the same version. Exits
    with 1 when something failed.
    """
    from wardhouse.publish.read import newest
    from wardhouse.publish.serving.postgresql import load
    from wardhouse.publish.serving.redshift import script
    from wardhouse.publish.serving.server import audience_of, serving
    from wardhouse.publish.versions import PublishError

    if current and to is None and redshift_script is None:
        raise typer.BadParameter("--current publishes nothing: say where to load it by --to")
    if (redshift_script is None) != (s3_prefix is None):
        raise typer.BadParameter("--redshift-script and --s3-prefix are given together")
    folder, console = settings.publish_directory(), Console()
    try:
        memory = settings.memory()
        with ExitStack() as held:
            if to is not None:  # before anything is published: it may be refused
                readers = audience or audience_of(to)
                server = held.enter_context(serving(to, readers))
            if not current:
                _publish(console, folder, keep, force, target_path)
            if to is not None:
                with newest(folder, readers) as snapshot:
                    _tell(console, load(server, snapshot, memory), readers)
                    _tell_left_out(console, snapshot.manifest)
        if redshift_script is not None:
            with newest(folder, audience or "shared") as snapshot:
                text = script(snapshot, s3_prefix or "", memory)
            redshift_script.write_text(text, encoding="utf-8")
            print_line(console, f"{redshift_script} loads version {snapshot.version}; not run")
            _tell_left_out(console, snapshot.manifest)
    except (PublishError, OSError, settings.SettingError) as error:
        fail(error)


def _publish(
    console: Console, folder: Path, keep: int, is_forced: bool, target_path: Path | None
) -> None:
    from wardhouse.publish.snapshot import publish

    named = target_path and settings.in_project(target_path)
    artifacts = named or settings.artifact_directory()
    done = publish(
        settings.database(),
        artifacts / "manifest.json",
        folder,
        keep=keep,
        is_forced=is_forced,
        project_dir=project_directory(),
        key=settings.pseudonym_key(),
    )
    tables, not_built = done.manifest["tables"], done.manifest["tables_not_built"]
    without_key, withheld = done.manifest["tables_without_key"], done.audit["tables_withheld"]
    if not_built:
        print_line(console, f"not built, so not published: {', '.join(not_built)}", "yellow")
    if done.manifest["health"]["is_forced"]:
        print_line(console, "published though tests failed: the manifest says so", "yellow")
    if without_key:
        print_line(
            console,
            "not published, as they are of single patients and WARDHOUSE_PSEUDONYM_KEY is not set: "
            f"{', '.join(without_key)}",
            "yellow",
        )
    if withheld:
        print_line(console, f"too small to be shared: {', '.join(withheld)}", "yellow")
    shared = done.audit["tables"]
    print_line(
        console,
        f"{len(tables)} tables published, for internal readers, in {done.folder}; {len(shared)} of "
        f"them for all, {done.audit['share_hidden']:.0%} of their numbers hidden",
    )


def _tell_left_out(console: Console, manifest: dict[str, Any]) -> None:
    from wardhouse.publish.serving.postgresql import served

    if n_left_out := len(manifest["tables"]) - len(served(manifest)):
        print_line(console, f"{n_left_out} tables of single patients stay out of the database")


def _tell(console: Console, loaded: Loaded, readers: str) -> None:
    were = "loaded" if loaded.is_new else "were loaded before"
    print_line(
        console,
        f"{loaded.n_tables} tables, {loaded.n_rows:,} rows, for {readers} readers, {were} in "
        f"{loaded.schema} of PostgreSQL; wardhouse reads them",
    )
    if loaded.still_read:
        stay = ", ".join(loaded.still_read)
        print_line(console, f"still read by somebody, so not removed: {stay}", "yellow")
