"""The shared audience: tables of which small groups are hidden, and the audit that proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wardhouse.publish.audit import ATTACKER, audit
from wardhouse.publish.cells import Filled
from wardhouse.publish.suppression import Suppression, suppress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wardhouse.publish.declared import Table

IS_SUPPRESSED = "is_suppressed"
ALL_PEOPLE = (
    "no feed declares consent to the use of data in statistics, and none is asked: cells count all "
    "people; columns named here tell of consent to something else"
)


def write_shared(
    tables: list[Filled],
    minimum: int,
    consents: list[str],
    write: Callable[[Table, pa.Table], tuple[Path, dict[str, Any]]],
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Hide small groups of the shared tables, write these, and audit what was written.

    Parameters
    ----------
    tables
        All shared tables, exact.
    minimum
        Fewer people are a small group.
    consents
        Columns of feeds that tell of consent.
    write
        Writes rows of a table to a file in their order; returns it, and the manifest's entry.

    Returns
    -------
    tuple
        The entries of the tables in the manifest, and the audit.

    Raises
    ------
    PublishError
        When what the tables declare is not true, or the audit fails.
    """
    done = suppress(tables, minimum)
    shared = done.system.tables
    masked = [_masked(place, done) for place in range(len(shared))]
    written = [write(each.table, rows) for each, rows in zip(shared, masked, strict=True)]
    told = audit(shared, [file for file, _ in written], minimum)
    n_numbers, n_hidden = (sum(each[name] for each in told) for name in ("n_numbers", "n_hidden"))
    smallest = [each["smallest_interval"] for each in told if each["smallest_interval"] is not None]
    return [entry for _, entry in written], {
        "minimum_cell_size": minimum,
        "n_numbers": n_numbers,
        "n_hidden": n_hidden,
        "share_hidden": round(n_hidden / n_numbers, 4) if n_numbers else 0.0,
        "smallest_interval": min(smallest, default=None),
        "tables": told,
        "tables_withheld": done.withheld,
        "attacker": ATTACKER,
        "consent": {"is_filtered": False, "columns": consents, "statement": ALL_PEOPLE},
    }


def _masked(place: int, done: Suppression) -> pa.Table:
    """Return a table's rows with null for what is hidden, and whether anything of a row is."""
    system = done.system
    filled = system.tables[place]
    table, rows = filled.table, filled.rows
    own = {name: np.zeros(rows.num_rows, dtype=bool) for name in table.numbers}
    for number in np.flatnonzero((system.table == place) & done.hidden).tolist():
        own[system.column[number]][system.row[number]] = True
    masks: dict[str, np.ndarray] = {}

    def mask(name: str) -> np.ndarray:
        if name not in masks:
            column = table.columns[name]
            read = [*column.sources, *([column.whole] if column.whole else [])]
            own_mask = own.get(name, np.zeros(rows.num_rows, dtype=bool)) | own[table.cells.people]
            masks[name] = np.logical_or.reduce([own_mask, *map(mask, read)])
        return masks[name]

    is_suppressed = np.zeros(rows.num_rows, dtype=bool)
    for name in table.columns:
        if name not in table.cells.of and mask(name).any():
            its = mask(name)
            is_suppressed |= its
            kept = pc.if_else(pa.array(its), None, rows[name])
            rows = rows.set_column(rows.schema.get_field_index(name), name, kept)
    return rows.append_column(IS_SUPPRESSED, pa.array(is_suppressed))
