"""`wardhouse bench hospital`: the build beside scripts that do the same by hand, on the same data.

Every contender runs in a fresh process. What counts is CPU seconds; the build must end with the
same answer as the scripts, or the comparison means nothing. dbt reads the project once, in a
contender of its own: as a script is written once, and run often.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from wardhouse.areas.declared import load
from wardhouse.bench.measure import (
    Answer,
    ContenderError,
    Measurement,
    run_measured,
    warehouse_environment,
)
from wardhouse.warehouse import open_to_read

SCRIPTS = Path(__file__).with_name("contenders")
LAB_MAX_TREATMENTS = 1_000_000
FITTED_WHOLE = 200_000  # patients; above it contenders fit samples that differ by their keys
VIP_TOLERANCE = 0.005
PARTS = 100
NO_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
SELECTED = ("--selector", "hospital")
EXPORTED = {"processed_healthcare_data", "enriched_healthcare_data"}


@dataclass(frozen=True)
class Bench:
    """One run: where its data and outputs are, and the dbt project."""

    place: Path
    project: Path
    treatments: int
    seed: int

    @property
    def raw(self) -> Path:
        """The raw directory with one file of treatments."""
        return self.place / "raw"

    @property
    def home(self) -> Path:
        """Where dbt works: the parsed project, the database and the exports of the last build."""
        return self.place / "dbt"

    def generate(self, name: str = "raw", files: int = 1) -> Path:
        """Write the sample, once."""
        raw = self.place / name
        if not raw.is_dir():
            generate = load("hospital.sample:generate_hospital")
            truth = self.place / "truth"
            generate(raw, self.treatments, self.seed, files=files, truth_dir=truth)
        return raw


def _run_script(bench: Bench, name: str) -> Iterator[Measurement]:
    out = bench.place / name
    script = SCRIPTS / f"{name}.py"
    found = run_measured(
        name, [sys.executable, script, bench.raw, out], out / "log", bench.place, {}
    )
    yield _with_answer(found, json.loads((out / "answer.json").read_text()))


def _run_dbt(bench: Bench, name: str, *arguments: str, raw: Path | None = None) -> Measurement:
    out = bench.home
    env = warehouse_environment(out, raw or bench.raw, "hospital")
    command = [Path(sys.executable).with_name("dbt"), "--quiet", *arguments]
    return run_measured(name, command, out / "log", bench.project, env)


def _with_answer(found: Measurement, answer: Answer) -> Measurement:
    return Measurement(found.name, found.cpu, found.wall, found.peak, answer)


def read_answer(database: Path) -> Answer:
    """Ask a warehouse what the scripts write into `answer.json`."""
    with open_to_read(database) as connection:
        accepted, n_vip, n_patients, top = connection.execute("""
            select
                (select count(*) from core.fct_treatments),
                (select count(*) from ml.patient_vip where vip_status = 'VIP'),
                (select count(*) from ml.patient_vip),
                (
                    select list([doctor_id, total_revenue::varchar]
                        order by revenue_rank, doctor_id)
                    from hospital.top_doctors
                )
        """).fetchone()
    return {"n_accepted": accepted, "n_vip": n_vip, "n_patients": n_patients, "top_doctors": top}


def _dbt_parse(bench: Bench, name: str) -> Iterator[Measurement]:
    """Read the whole project, as the first command in a checkout does."""
    shutil.rmtree(bench.home / "target", ignore_errors=True)
    yield _run_dbt(bench, name, "parse")


def _build(
    bench: Bench, name: str, *arguments: str, raw: Path | None = None, fresh: bool = True
) -> Measurement:
    """Build with the project parsed before, into a new database unless it is to go on."""
    if not (bench.home / "target" / "partial_parse.msgpack").is_file():
        _run_dbt(bench, "dbt_parse", "parse")
    database = bench.home / "wardhouse.duckdb"
    if fresh:
        database.unlink(missing_ok=True)
        shutil.rmtree(bench.home / "exports", ignore_errors=True)
    found = _run_dbt(bench, name, "build", *arguments, raw=raw)
    return _with_answer(found, read_answer(database))


def _dbt_build(bench: Bench, name: str, *arguments: str) -> Iterator[Measurement]:
    yield _build(bench, name, *SELECTED, *arguments)


def _dbt_noop(bench: Bench, name: str) -> Iterator[Measurement]:
    yield _run_dbt(bench, name, "list", *SELECTED)


def _without_exports(bench: Bench) -> tuple[str, ...]:
    """Select what an area builds, one by one: dbt takes no --exclude beside --selector."""
    _run_dbt(bench, "list", "list", *SELECTED, "--output", "name")
    names = (bench.home / "log").read_text().split()
    kept = [name for name in names if name.removesuffix("_export") not in EXPORTED]
    return ("--indirect-selection", "empty", "--select", *kept)


def _dbt_append(bench: Bench, name: str) -> Iterator[Measurement]:
    """Build all but the last file, then with it; and all of them at once, exports aside."""
    raw = bench.generate("raw_parts", PARTS)
    last = raw / "hospital" / "patients_data_with_doctor" / f"part-{PARTS:04d}.csv"
    aside = bench.place / last.name
    last.rename(aside)
    selected = _without_exports(bench)
    _build(bench, f"{name} (first {PARTS - 1} files)", *selected, *NO_TESTS, raw=raw)
    aside.rename(last)
    yield _build(bench, name, *selected, raw=raw, fresh=False)
    yield _build(bench, f"{name}_full", *selected, raw=raw)


CONTENDERS: dict[str, Callable[[Bench, str], Iterator[Measurement]]] = {
    "duckdb_script": _run_script,
    "pandas_script": _run_script,
    "lab_script": _run_script,
    "dbt_parse": _dbt_parse,
    "dbt": _dbt_build,
    "dbt_no_tests": lambda bench, name: _dbt_build(bench, name, *NO_TESTS),
    "dbt_noop": _dbt_noop,
    "dbt_append": _dbt_append,
}


def check_agreement(measurements: Sequence[Measurement]) -> str:
    """Hold all answers against the first one.

    Parameters
    ----------
    measurements
        Those without an answer are left out.

    Returns
    -------
    str
        A sentence that says who agrees on what.

    Raises
    ------
    ContenderError
        If two contenders differ in the accepted treatments, the patients, the doctors on top or
        their revenue; or in VIP patients, of which samples leave a few open.
    """
    answered = [found for found in measurements if found.answer]
    if not answered:
        return "No contender gives an answer."
    first = _comparable(answered[0].answer)
    tolerance = VIP_TOLERANCE if first["n_patients"] > FITTED_WHOLE else 0
    for found in answered[1:]:
        other = _comparable(found.answer)
        differing = [
            f"{key}: {first[key]} and {other[key]}"
            for key in first
            if (
                abs(first[key] - other[key]) > tolerance * first[key]
                if key == "n_vip"
                else first[key] != other[key]
            )
        ]
        if differing:
            raise ContenderError(
                f"{answered[0].name} and {found.name} differ in {'; '.join(differing)}"
            )
    share = f" within {tolerance:.1%}" if tolerance else ""
    return (
        f"{', '.join(found.name for found in answered)} agree: {first['n_accepted']:,} accepted "
        f"treatments, {first['n_patients']:,} patients, {first['n_vip']:,} of them VIP{share}, "
        f"and the same five doctors with the same revenue."
    )


def _comparable(answer: Answer) -> Answer:
    top = [(row[0], Decimal(row[1])) for row in answer["top_doctors"]]
    return {key: answer[key] for key in ("n_accepted", "n_patients", "n_vip")} | {"top": top}


def ratios(measurements: Sequence[Measurement]) -> list[tuple[str, float]]:
    """Give the CPU ratios that the project has budgets for, as far as both sides were measured."""
    cpu = {found.name: found.cpu for found in measurements}
    pairs = [
        ("dbt", "duckdb_script"),
        ("dbt", "pandas_script"),
        ("dbt", "lab_script"),
        ("dbt", "dbt_no_tests"),
        ("dbt_noop", "dbt"),
        ("dbt_append", "dbt_append_full"),
    ]
    return [
        (f"{one} / {other}", cpu[one] / cpu[other])
        for one, other in pairs
        if one in cpu and other in cpu
    ]


def as_markdown(measurements: Sequence[Measurement], treatments: int) -> str:
    """Write the figures as Markdown: a table of measurements and one of ratios."""
    lines = [
        f"| {treatments:,} treatments | CPU s | wall s | peak MB |",
        "|---|--:|--:|--:|",
        *(f"| {m.name} | {m.cpu:.1f} | {m.wall:.1f} | {m.peak:,.0f} |" for m in measurements),
    ]
    found = ratios(measurements)
    if found:
        lines += ["", "| ratio of CPU | |", "|---|--:|"]
        lines += [f"| {name} | {ratio:.2f} |" for name, ratio in found]
    return "\n".join(lines)


def run_contenders(
    bench: Bench, names: Sequence[str], tell: Callable[[str], None] = lambda _: None
) -> list[Measurement]:
    """Generate the data and run the contenders, one after the other.

    Parameters
    ----------
    bench
        Where, and how much.
    names
        Of `CONTENDERS`.
    tell
        Called with a line before each step.

    Returns
    -------
    list of Measurement
        `dbt_append` gives two: the append, and the full build it is compared with.
    """
    tell(f"writing {bench.treatments:,} treatments")
    bench.generate()
    measurements = []
    for name in names:
        tell(name)
        measurements += CONTENDERS[name](bench, name)
    return measurements
