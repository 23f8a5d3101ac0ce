# ruff: noqa: S608 - the texts put into SQL are the landing's and the base models' own queries
"""What the values of a feed are, read by the rules of the build."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal

import duckdb

from wardhouse.landing.headers import FeedPlan, lacking_columns
from wardhouse.landing.inspection.base_models import RECORDS, BaseModels, Rules
from wardhouse.landing.options import OPTION_VALUES
from wardhouse.landing.readers import REJECTS
from wardhouse.warehouse import identifier

RANGED = ("amount", "date", "number", "time", "timestamp")  # kinds of which a range says something
N_EXAMPLES = 3
_LONGEST_EXAMPLE = 60


@dataclass
class ColumnValues:
    """What one column holds; `lowest` and `highest` are of what was readable."""

    kind: str
    n_filled: int
    n_readable: int
    lowest: str
    highest: str
    unreadable: list[str]  # the most frequent first
    first: list[str] = field(default_factory=list)


@dataclass
class Evidence:
    """What the values say about another value of an option: how many it alone can read."""

    option: str
    value: str
    column: str
    n_for: int
    n_against: int
    examples: list[str]


@dataclass
class RefusedLines:
    """Lines that are no records: how many, and the first with its error."""

    n_lines: int
    source_file: str
    line: int
    error: str
    is_encoding: bool


@dataclass
class FeedValues:
    """The values of a feed, and what a build would make of its records."""

    n_records: int = 0
    columns: dict[str, ColumnValues] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)
    refused_lines: RefusedLines | None = None
    rejections: dict[str, int] = field(default_factory=dict)
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)  # a file and record by reason
    repairs: dict[str, int] = field(default_factory=dict)


def read_values(plan: FeedPlan, base_models: BaseModels, n_first: int) -> FeedValues:
    """Read every record of a feed as a build would.

    Parameters
    ----------
    plan
        How the feed is read; a required column that is missing counts as blank.
    base_models
        The project's base models, which say how each column is read.
    n_first
        Records of which the values are given as they are.

    Raises
    ------
    RulesError
        If the feed's base model cannot be rendered.
    duckdb.Error
        If the records cannot be read.
    """
    rules = base_models.rules(plan.feed, plan.options)
    names = [name for name, spelled in plan.mapping.items() if spelled]
    others = list(_other_settings(plan, base_models, rules, names))
    with duckdb.connect() as connection:
        connection.execute(f"create temporary view {RECORDS} as {plan.select}")
        _note_lacking_columns(connection, plan)
        values = _read_columns(connection, rules, names, others)
        values.refused_lines = _refused_lines(connection, plan)
        values.rejections, values.refused, values.repairs = _outcomes(connection, rules.model)
        listed = ", ".join(
            f"case when not ({rules.blank[name]}) then {identifier(name)} end" for name in names
        )
        first = connection.execute(
            f"select {listed} from {RECORDS} where unreadable_text is null limit ?", [n_first]
        ).fetchall()
    for name, column in zip(names, zip(*first, strict=True), strict=False):
        values.columns[name].first = [_shortened(text) for text in dict.fromkeys(column) if text]
    return values


def _note_lacking_columns(connection: duckdb.DuckDBPyConnection, plan: FeedPlan) -> None:
    """Make the table of landing that base models ask."""
    connection.execute("create schema landing")
    connection.execute(
        "create table landing.lacking_columns "
        "(area varchar, feed varchar, source_file varchar, column_name varchar)"
    )
    rows = [(plan.feed.area, plan.feed.name, *pair) for pair in lacking_columns(plan)]
    if rows:
        connection.executemany("insert into landing.lacking_columns values (?, ?, ?, ?)", rows)


def _outcomes(
    connection: duckdb.DuckDBPyConnection, model: str
) -> tuple[dict[str, int], dict[str, tuple[str, str]], dict[str, int]]:
    """Count records by the reason of their rejection, with one of each, and others by repairs.

    A line with a bad value in a column that no query asks for is no reject to DuckDB: counting
    `rejected_record` asks for every column.
    """
    groups = connection.execute(
        "select rejection_reason, repairs, count(*), "
        "min((source_file, rejected_record)) filter (rejection_reason is not null) "
        f"from ({model}) group by all order by all"
    ).fetchall()
    rejections, refused, repairs = Counter(), {}, Counter()
    for reason, flags, n_records, first in groups:
        for label in [reason] if reason else flags:
            (rejections if reason else repairs)[label] += n_records
        if reason:
            refused.setdefault(reason, tuple(first))
    return dict(rejections.most_common()), refused, dict(repairs.most_common())


def _other_settings(
    plan: FeedPlan, base_models: BaseModels, rules: Rules, names: list[str]
) -> Iterator[tuple[str, str, str, str]]:
    """Give option, value, column and SQL wherever another value of an option reads otherwise."""
    for option in ("date_order", "decimal_mark"):
        for value in OPTION_VALUES[option]:
            other = base_models.rules(plan.feed, {**plan.options, option: value})
            for name in names:
                if other.columns[name].sql != rules.columns[name].sql:
                    yield option, value, name, other.columns[name].sql


def _read_columns(
    connection: duckdb.DuckDBPyConnection,
    rules: Rules,
    names: list[str],
    others: list[tuple[str, str, str, str]],
) -> FeedValues:
    """Read all columns in one scan: what is filled, readable, lowest, highest, unreadable."""
    places = {name: place for place, name in enumerate(names)}
    read, found = [], []
    for name, place in places.items():
        reading = rules.columns[name]
        read += [
            f"{identifier(name)} as text_{place}",
            f"not ({rules.blank[name]}) as filled_{place}",
            f"{reading.sql} as typed_{place}",
        ]
        value = f"typed_{place}" if reading.kind in RANGED else "null::varchar"
        found += [
            f"count(*) filter (filled_{place})",
            f"count(*) filter (filled_{place} and typed_{place} is not null)",
            f"min({value})",
            f"max({value})",
            _examples(place, f"filled_{place} and typed_{place} is null"),
        ]
    for number, (_, _, name, sql) in enumerate(others):
        place = places[name]
        read.append(f"{sql} as other_{number}")
        is_for = f"filled_{place} and typed_{place} is null and other_{number} is not null"
        found += [
            f"count(*) filter ({is_for})",
            f"count(*) filter (typed_{place} is not null and other_{number} is null)",
            _examples(place, is_for),
        ]
    # DuckDB lists the lines that it refused when all of the answer was fetched.
    [(n_records, *answers)] = connection.execute(
        f"select count(*), {', '.join(found)} from (select {', '.join(read)} from {RECORDS})"
    ).fetchall()
    values = FeedValues(n_records)
    for name in names:
        n_filled, n_readable, lowest, highest, unreadable, *answers = answers
        values.columns[name] = ColumnValues(
            rules.columns[name].kind,
            n_filled,
            n_readable,
            _shown(lowest),
            _shown(highest),
            [_shortened(text) for text in unreadable or ()],
        )
    for option, value, name, _ in others:
        n_for, n_against, examples, *answers = answers
        values.evidence.append(
            Evidence(option, value, name, n_for, n_against, [_shortened(t) for t in examples or ()])
        )
    return values


def _examples(place: int, condition: str) -> str:
    return f"approx_top_k(text_{place}, {N_EXAMPLES}) filter ({condition})"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_EXAMPLE else text[: _LONGEST_EXAMPLE - 1] + "…"


def _shown(value: Decimal | date | datetime | time | None) -> str:
    """Write a value without the zeros of its scale, and a time to the minute."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes")
    return value.isoformat("minutes") if isinstance(value, time) else str(value)


def _refused_lines(connection: duckdb.DuckDBPyConnection, plan: FeedPlan) -> RefusedLines | None:
    """Tell of the lines that the CSV reader refused in the scan just done."""
    has_rejects = connection.execute(
        "select count(*) from duckdb_tables() where table_name = ? and temporary", [REJECTS]
    ).fetchone()
    if has_rejects == (0,):
        return None
    n_lines, path, line, error, error_type = connection.execute(
        f"select count(distinct (file_path, line_byte_position)), "
        "arg_min(file_path, place), arg_min(line, place), arg_min(error_message, place), "
        "arg_min(error_type::varchar, place) "
        f"from (select *, (file_path, line, error_type::varchar) as place "
        f"from {REJECTS} inner join {REJECTS}_scan using (scan_id, file_id))"
    ).fetchone()
    if not n_lines:
        return None
    names = {file.path.as_posix(): file.source_file for file in plan.files}
    is_encoding = error_type == "INVALID ENCODING"
    return RefusedLines(n_lines, names[path], line, error.partition("\n")[0], is_encoding)
