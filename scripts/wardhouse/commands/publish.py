"""`wardhouse publish`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from wardhouse import settings
from wardhouse.commands.printing import print_line
from wardhouse.project import project_directory


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
) -> None:
    """Write the answers that declare an audience as Parquet, for readers who must not lock a build.

    A version is a folder of WARDHOUSE_PUBLISH_DIR with its manifest and views for DuckDB. Readers
    see the one before until it is whole. Exits with 1 when nothing was published.
    """
    from wardhouse.publish.snapshot import publish
    from wardhouse.publish.versions import PublishError

    named = target_path and settings.in_project(target_path)
    artifacts = named or settings.artifact_directory()
    try:
        done = publish(
            settings.database(),
            artifacts / "manifest.json",
            settings.publish_directory(),
            keep=keep,
            is_forced=force,
            project_dir=project_directory(),
            key=settings.pseudonym_key(),
        )
    except (PublishError, OSError, settings.SettingError) as error:
        print_line(Console(stderr=True), str(error), "red")
        raise typer.Exit(1) from error
    tables, not_built = done.manifest["tables"], done.manifest["tables_not_built"]
    without_key, withheld = done.manifest["tables_without_key"], done.audit["tables_withheld"]
    console = Console()
    if not_built:
        print_line(console, f"not built, so not published: {', '.join(not_built)}", "yellow")
    if done.manifest["health"]["is_forced"]:
        print_line(console, "published though tests failed: the manifest says so", "yellow")
    if without_key:
        print_line(
            console,
            "not published, for they name patients and WARDHOUSE_PSEUDONYM_KEY is not set: "
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
