"""What `wardhouse inspect` shows of a raw directory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb

from wardhouse.landing.feeds import Column, Feed, choose_areas, declared_feeds
from wardhouse.landing.headers import FeedPlan
from wardhouse.landing.inspection.base_models import BaseModels, RulesError
from wardhouse.landing.inspection.cures import (
    Cure,
    column_cures,
    encoding_cure,
    form_cures,
    listed,
    new_meanings,
    stray_files,
    value_cures,
)
from wardhouse.landing.inspection.values import ColumnValues, FeedValues, read_values
from wardhouse.landing.options import VALUE_PREFIX, closest, read_settings, reference_seeds
from wardhouse.landing.plan import plan_feed
from wardhouse.landing.readers import UNDECLARED
from wardhouse.settings import named_directory

N_SHOWN = 3  # of what may come in thousands: files, problems, names


@dataclass
class ColumnReport:
    """One declared column: what it is read from (`=` its name), as what, how much, and what."""

    name: str
    read_from: str
    kind: str = ""
    readable: str = ""
    values: str = ""
    is_range: bool = False


@dataclass(frozen=True)
class Proof:
    """A setting that bytes or values prove: the option, why, and its line for `feeds.csv`."""

    option: str
    why: str
    line: str


@dataclass
class FeedReport:
    """What `wardhouse inspect` says of one feed; `lines` are for `feeds.csv`."""

    label: str
    problems: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    records: str = ""
    columns: list[ColumnReport] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    cures: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    proven: list[Proof] = field(default_factory=list)
    is_wrong: bool = False


@dataclass
class DirectoryReport:
    """What `wardhouse inspect` says of a directory: problems of its own, strays and feeds."""

    problems: list[str]
    strays: list[str]
    feeds: list[FeedReport]

    @property
    def is_wrong(self) -> bool:
        """Whether a build would stop, or read otherwise than was meant."""
        return bool(self.problems) or any(feed.is_wrong for feed in self.feeds)


def inspect_directory(
    raw_dir: Path,
    areas: str,
    project_dir: Path,
    n_first: int,
    variables: Mapping[str, Any] = MappingProxyType({}),
) -> DirectoryReport:
    """Look at a raw directory as a build would, without building.

    Parameters
    ----------
    raw_dir
        Directory with a folder per area.
    areas
        Area names separated by commas; empty for those that have a folder.
    project_dir
        The dbt project whose feeds are looked for and whose base models say how they are read.
    n_first
        Records of each feed of which the values are shown as they are.
    variables
        Those of the command, which come before the project's.

    Returns
    -------
    DirectoryReport
        With a report for each feed of the areas.
    """
    raw_dir = named_directory(raw_dir)
    feeds = declared_feeds(project_dir)
    chosen, problems = choose_areas(raw_dir, areas, (feed.area for feed in feeds))
    options, bad_settings = read_settings(raw_dir, feeds, project_dir)
    base_models = BaseModels(project_dir, variables)
    reports, plans = [], []
    for feed in feeds:
        if feed.area in chosen:
            plan = plan_feed(raw_dir, feed, options.get((feed.area, feed.name), {}))
            reports.append(_report(raw_dir, plan, base_models, n_first))
            plans.append(plan)
    strays = _misnamed_areas(raw_dir, feeds)
    for area in chosen:
        strays |= stray_files(raw_dir, area, [plan for plan in plans if plan.feed.area == area])
    return DirectoryReport(
        problems + bad_settings,
        shortened([f"{name}: {cure}" for name, cure in strays.items()], "files")
        + shortened(new_meanings(options, reference_seeds(project_dir)), "meanings"),
        reports,
    )


def advice(raw_dir: Path, project_dir: Path, area: str, name: str) -> str:
    """Say what likely keeps the values of one feed from being read, and what would help.

    Parameters
    ----------
    raw_dir, project_dir
        As in `inspect_directory`.
    area, name
        The feed's; its whole content is read.

    Returns
    -------
    str
        Sentences, with the lines for `feeds.csv` where some would help.
    """
    [feed] = [
        each for each in declared_feeds(project_dir) if (each.area, each.name) == (area, name)
    ]
    options, _ = read_settings(raw_dir, [feed], project_dir)
    plan = plan_feed(raw_dir, feed, options.get((area, name), {}))
    report = _report(raw_dir, plan, BaseModels(project_dir), 0)
    look = f"`wardhouse inspect {raw_dir}` shows a refused record of each reason."
    if not report.cures:
        return f"No setting is known that would help: {look}"
    lines = f" For {raw_dir / 'feeds.csv'}: {'; '.join(report.lines)}." if report.lines else ""
    return f"Likely: {'; '.join(report.cures)}.{lines} {look}"


def proven_settings(raw_dir: Path, request: Mapping[str, Any]) -> str:
    """Say why a build stops whose values prove other settings than those it reads by.

    Parameters
    ----------
    raw_dir
        The raw directory.
    request
        `area` and `feed`, whose records gave rise to the question, `project_dir`, and `vars`, the
        variables of the command.

    Returns
    -------
    str
        The reasons, and the lines for `feeds.csv` that mend all of the area's feeds; empty where
        other values of the feed speak against what some seem to prove.
    """
    area, feed = request["area"], request["feed"]
    folder = Path(request["project_dir"])
    report = inspect_directory(raw_dir, area, folder, 0, request["vars"])
    proven = {each.label: each.proven for each in report.feeds}
    if not {"date_order", "decimal_mark"} & {proof.option for proof in proven[f"{area}.{feed}"]}:
        return ""
    reasons = [f"  {label}: {proof.why}" for label, proofs in proven.items() for proof in proofs]
    lines = [f"  {proof.line}" for proofs in proven.values() for proof in proofs]
    header = [] if (raw_dir / "feeds.csv").exists() else ["  area,feed,option,value"]
    return "\n".join(
        [
            f"{area}.{feed} is not read as it was meant, so that nothing of it is kept:",
            *reasons,
            f"add to {raw_dir / 'feeds.csv'}, or name the setting there as it is now to have such "
            "values flagged:",
            *header,
            *lines,
            f"`wardhouse inspect {raw_dir}` shows the values as they would be read with them.",
        ]
    )


def shortened(texts: Iterable[str], name: str) -> list[str]:
    """Keep the first few of some texts, and say how many more there are."""
    texts = list(texts)
    more = [f"and {len(texts) - N_SHOWN:,} more {name}"] if len(texts) > N_SHOWN else []
    return texts[:N_SHOWN] + more


def _misnamed_areas(raw_dir: Path, feeds: Iterable[Feed]) -> dict[str, str]:
    areas = {feed.area for feed in feeds}
    folders = [path.name for path in sorted(raw_dir.glob("[!.]*")) if path.is_dir()]
    near = {name: closest(name, areas - set(folders)) for name in folders if name not in areas}
    return {name: f"no area; rename it to {area}?" for name, area in near.items() if area}


def _report(raw_dir: Path, plan: FeedPlan, base_models: BaseModels, n_first: int) -> FeedReport:
    """Report on a feed; where its bytes prove another form, its values are read in that form."""
    feed = plan.feed
    report = FeedReport(feed.label, shortened(plan.problems, "problems"), _files(plan))
    cures = list(form_cures(plan))
    read, values = plan, None
    try:
        read = _read_with(raw_dir, plan, cures)
        values = _values(read, base_models, n_first)
        encoding = values and encoding_cure(read, values)
        if encoding:
            cures.append(encoding)
        if encoding and encoding.option:
            read = _read_with(raw_dir, plan, cures)
            values = _values(read, base_models, n_first)
    except (duckdb.Error, RulesError) as error:
        report.problems.append(str(error))
    cures += column_cures(read)
    if values:
        cures += value_cures(values)
        report.records = _records(values, "" if read is plan else ", read with the lines below")
        report.remarks += _remarks(values)
    if read.mapping:
        found = values.columns if values else {}
        report.columns = [_column(read, column, found.get(column.name)) for column in feed.columns]
        undeclared = sorted({name for _, name in read.undeclared})
        if undeclared:
            names = ", ".join(shortened(undeclared, "columns"))
            fate = f"kept as {UNDECLARED}" if feed.keep_undeclared else "not read"
            report.remarks.append(f"not declared, {fate}: {names}")
    report.cures = [
        cure.why + (" (it stands otherwise in feeds.csv)" if cure.option in plan.options else "")
        for cure in cures
    ]
    report.lines = [line for cure in cures if (line := cure.line(feed))]
    report.proven = [
        Proof(cure.option, cure.why, cure.line(feed))
        for cure in cures
        if cure.is_proven and cure.option and cure.option not in plan.options
    ]
    report.is_wrong = bool(report.problems) or any(cure.is_proven for cure in cures)
    return report


def _read_with(raw_dir: Path, plan: FeedPlan, cures: Iterable[Cure]) -> FeedPlan:
    """Plan a feed as the cures of its form would have it read."""
    options = {cure.option: cure.value for cure in cures if cure.option}
    return plan_feed(raw_dir, plan.feed, {**plan.options, **options}) if options else plan


def _values(plan: FeedPlan, base_models: BaseModels, n_first: int) -> FeedValues | None:
    """Read the values of a feed that has any: a column that is missing hides none of the others."""
    is_known = any(plan.mapping.values())
    return read_values(plan, base_models, n_first) if plan.select and is_known else None


def _files(plan: FeedPlan) -> list[str]:
    """Name one file, and count many."""
    if not plan.files:
        return [] if plan.problems else ["not there, optional"]
    kinds = ", ".join(dict.fromkeys(file.kind for file in plan.files))
    delimiters = {file.delimiter for file in plan.files if file.kind == "csv"} - {","}
    kinds += "".join(f", delimiter {delimiter!r}" for delimiter in sorted(delimiters))
    size = f"{sum(file.n_bytes for file in plan.files):,} bytes"
    lines = [f"{plan.files[0].source_file}  {kinds}, {size}"]
    if len(plan.files) > 1:
        folder = f"{plan.feed.area}/{plan.feed.name}/"
        lines = [f"{folder}  {len(plan.files):,} files, {kinds}, {size}"]
    aside = [f"{row['source_file']}  for quarantine: {row['error']}" for row in plan.unreadable]
    return lines + shortened(aside, "for quarantine")


def _records(values: FeedValues, how: str) -> str:
    """Say what a build would make of the records; duplicates are its own to find."""
    n_refused = sum(values.rejections.values())
    n_lines = values.refused_lines.n_lines if values.refused_lines else 0
    counted = [f"acceptable {values.n_records - n_refused:,}"]
    counted += [f"{reason} {n:,}" for reason, n in values.rejections.items()]
    counted += [f"lines that are no records {n_lines:,}"] if n_lines else []
    return f"{values.n_records + n_lines:,} records{how}: {', '.join(counted)}"


def _remarks(values: FeedValues) -> list[str]:
    """Name what was not readable, with examples, and what a build would flag."""
    remarks = []
    if values.refused_lines:
        lines = values.refused_lines
        remarks.append(f"{lines.source_file} line {lines.line}: {lines.error}")
    for name, column in values.columns.items():
        if column.unreadable:
            n_unreadable = column.n_filled - column.n_readable
            word = "not known" if column.kind == "word" else "not readable"
            remarks.append(f"{name}: {n_unreadable:,} {word}, such as {listed(column.unreadable)}")
    examples = [
        f"{reason}: {file} {record}"
        for reason in values.rejections
        for file, record in [values.refused[reason]]
    ]
    remarks += shortened(examples, "reasons")
    if values.repairs:
        flags = ", ".join(f"{repair} {n:,}" for repair, n in values.repairs.items())
        remarks.append(f"flagged in accepted records: {flags}")
    return remarks


def _column(plan: FeedPlan, column: Column, found: ColumnValues | None) -> ColumnReport:
    report = ColumnReport(column.name, " or ".join(plan.mapping[column.name]))
    constant = plan.options.get(VALUE_PREFIX + column.name)
    if not report.read_from and constant is not None:
        report.read_from = f"{constant!r} of feeds.csv"
    elif not report.read_from:
        return replace(report, read_from="MISSING" if column.required else "absent")
    if report.read_from == column.name:
        report.read_from = "="
    if not found:
        return report
    is_all = found.n_readable == found.n_filled > 0
    share = "all" if is_all else f"{found.n_readable:,} of"
    ends = dict.fromkeys((found.lowest, found.highest))
    return replace(
        report,
        kind=found.kind,
        readable=f"{share} {found.n_filled:,}",
        values="..".join(ends) if found.lowest else ", ".join(found.first),
        is_range=bool(found.lowest),
    )
