"""Where the dbt project is."""

from pathlib import Path

PACKAGES = Path(__file__).resolve().parents[1]  # the folder that holds the package
PROJECT = PACKAGES.parent  # the checkout that the package was installed from
SAMPLE = PROJECT / "seeds" / "sample"


def project_directory() -> Path:
    """Find the dbt project: the current directory or one above it, else the package's own.

    Returns
    -------
    Path
        Folder that holds `dbt_project.yml`.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "dbt_project.yml").is_file():
            return folder
    return PROJECT
