"""What the last build found, so that unchanged data are not tested again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wardhouse.ml.tidy import settings_text
from wardhouse.warehouse import identifier

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd


def last_table(
    session: Any, this: Any, name: str | None = None, columns: str = "*"
) -> pd.DataFrame | None:
    """Read a table as the last build left it.

    Parameters
    ----------
    session
        DuckDB connection of a dbt Python model.
    this
        Its `dbt.this`, with `database`, `schema` and `identifier`.
    name : str, optional
        Another table of the same schema.
    columns : str
        What is selected of it.

    Returns
    -------
    DataFrame or None
        None where there is no such table yet.
    """
    place = [this.database, this.schema, name or this.identifier]
    known = session.execute(
        "select table_name from information_schema.tables "
        "where table_catalog = ? and table_schema = ? and table_name = ?",
        place,
    ).fetchall()
    if not known:
        return None
    table = ".".join(map(identifier, place))
    return session.execute(f"select {columns} from {table}").df()  # noqa: S608


def kept_metrics(
    last: pd.DataFrame | None,
    task: str,
    data_fingerprint: str,
    settings: dict,
    names: Collection[str],
) -> dict[str, float] | None:
    """Take metrics of the last fit where its task, data and settings are those of this one.

    Parameters
    ----------
    last : DataFrame or None
        The tidy table (`wardhouse.ml.tidy`) that the last build left.
    task, data_fingerprint, settings
        Of this fit, as `tidy_table` takes them. The versions of the libraries are compared too.
    names : collection of str
        Of the metrics.

    Returns
    -------
    dict of str to float, or None
        None where something differs, or there was no last build. A metric that was not known is
        not among them.
    """
    if last is None:
        return None
    texts = last[last["component"] == "setting"].set_index("feature")["text"]
    this = {"task": task, "data_fingerprint": data_fingerprint, "settings": settings_text(settings)}
    if texts.reindex(list(this)).to_dict() != this:
        return None
    metrics = last[(last["component"] == "metric") & last["feature"].isin(names)]
    return dict(zip(metrics["feature"], metrics["value"].astype(float), strict=True))
