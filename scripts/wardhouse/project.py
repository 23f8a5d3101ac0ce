"""Where the dbt project is, and how its YAML files are read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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


def meta_of(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Read what is said beside dbt's own settings, in YAML or a manifest: dbt takes two places."""
    return {**(declared.get("config") or {}).get("meta", {}), **declared.get("meta", {})}


def read_yaml(path: Path) -> Any:
    """Read a YAML file; libyaml does it eight times faster, where PyYAML was built with it.

    Parameters
    ----------
    path
        The file, in UTF-8.

    Returns
    -------
    Any
        The document: dictionaries, lists, texts and numbers.

    Raises
    ------
    yaml.YAMLError
        If the file is no YAML.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 - both are safe
