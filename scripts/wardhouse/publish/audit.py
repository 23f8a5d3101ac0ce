"""Proves of the shared tables, as they were written, that nobody computes what they hide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from wardhouse.publish.attacker import EXACT, Attack, needed, sensitive
from wardhouse.publish.cells import System, system_of
from wardhouse.publish.versions import PublishError

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from wardhouse.publish.cells import Filled

ATTACKER = [
    "reads all shared tables of this version at once",
    "knows the exact total of whatever adds up, unless it or all but it is a small group",
    "knows that counts are whole, that a part is no more than its whole, and that a row is of "
    "somebody where every row of its table is",
    "knows the minimum, and of each hidden number whether it was hidden as small or for another's "
    "sake, unless its column is hidden in all rows",
    "does not know the order in which numbers were hidden, nor other versions or other sources",
]


def audit(tables: list[Filled], files: list[Path], minimum: int) -> list[dict[str, Any]]:
    """Let the attacker read the files; return what each table hides and how closely he came.

    Parameters
    ----------
    tables
        The shared tables, exact.
    files
        Their Parquet files, in the same order.
    minimum
        Fewer people are a small group; an interval must hold as many values as one can have.

    Raises
    ------
    PublishError
        When a file shows what is not to be seen, or lets it be computed.
    """
    system = system_of(tables, minimum)
    written = [pq.read_table(file) for file in files]
    hidden = np.zeros(len(system.value), dtype=bool)
    for number, column in enumerate(system.column):
        shown = written[system.table[number]][column][int(system.row[number])]
        hidden[number] = not shown.is_valid
    uniform = _whole_columns(system, hidden)
    attack, need = Attack(system, minimum, hidden, uniform), needed(system, minimum)
    attack.reach(need)
    values = attack.values()
    small = sensitive(system, minimum)
    told = []
    for place, (filled, table) in enumerate(zip(tables, written, strict=True)):
        its = system.table == place
        wrong = its & ((small & ~hidden) | (hidden & (values < need - EXACT)))
        shown = sorted({system.column[number] for number in np.flatnonzero(wrong)})
        shown += [name for name in filled.table.columns if _tells(filled, table, name)]
        if shown:
            raise PublishError(
                f"the audit found that {filled.table.title} gives small groups away by "
                f"{', '.join(shown)}: publish internal alone in its meta.publish, and build again"
            )
        partly = its & hidden & ~uniform
        judged = its & hidden & system.is_count & (need > 0)
        told.append(
            {
                "name": filled.table.title,
                "n_cells": table.num_rows,
                "n_suppressed_cells": int(np.sum(table["is_suppressed"].to_numpy())),
                "n_numbers": int(its.sum()),
                "n_hidden": int((its & hidden).sum()),
                "n_hidden_as_small": int((partly & small).sum()),
                "n_hidden_for_others": int((partly & ~small).sum()),
                "n_hidden_in_whole_columns": int((its & uniform).sum()),
                "smallest_interval": _smallest(attack, np.flatnonzero(judged)),
            }
        )
    return told


def _smallest(attack: Attack, numbers: np.ndarray) -> int | None:
    """Return how many values the number can have that the attacker reaches most closely."""
    while len(numbers):
        values = attack.values()[numbers]
        closest = int(numbers[values.argmin()])
        if attack.is_exact[closest]:
            return int(values.min())
        attack.settle(closest)
    return None


def _whole_columns(system: System, hidden: np.ndarray) -> np.ndarray:
    """Tell which numbers are of a column that is hidden in all rows."""
    columns = np.array(system.column)
    uniform = np.zeros(len(hidden), dtype=bool)
    for table, column in set(zip(system.table.tolist(), system.column, strict=True)):
        its = (system.table == table) & (columns == column)
        uniform[its] = hidden[its].all()
    return uniform


def _tells(filled: Filled, written: pa.Table, name: str) -> bool:
    """Whether a column shows something that is computed from what its row hides, or is wrong."""
    exact, shown = filled.rows[name].to_pylist(), written[name].to_pylist()
    table = filled.table
    if name in table.cells.of:
        return exact != shown
    read = _read(table, name)
    sources = [
        (filled.rows[source].to_pylist(), written[source].to_pylist()) for source in sorted(read)
    ]
    for row, (was, now) in enumerate(zip(exact, shown, strict=True)):
        if now is None:
            continue
        if now != was or any(one[row] is not None and other[row] is None for one, other in sources):
            return True
    return False


def _read(table: Any, name: str) -> set[str]:
    """Name all that a figure is computed from or is a part of, the people of its row included."""
    column, found = table.columns[name], {table.cells.people}
    for other in (*column.sources, *([column.whole] if column.whole else [])):
        if other not in found:
            found |= {other} | _read(table, other)
    return found
