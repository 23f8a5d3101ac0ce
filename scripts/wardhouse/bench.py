"""`wardhouse bench hospital`: the build beside scripts that do the same by hand, on the same data.

Every contender runs in a fresh process. What counts is CPU seconds; the build must end with the
same answer as the scripts, or the comparison means nothing. dbt reads the project once, in a
contender of its own: as a script is written once, and run often.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from wardhouse.sample import DEFAULT_SEED

SCRIPTS = Path(__file__).with_name("bench_scripts")
PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "pandas", "scikit-learn")
LAB_MAX_TREATMENTS = 1_000_000
FITTED_WHOLE = 200_000  # patients; above it contenders fit samples that differ by their keys
VIP_TOLERANCE = 0.005
PARTS = 100
NO_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
# dbt ignores --exclude beside --selector, so the selector's words stand here again.
SELECTED = ("--selector", "hospital")
NO_EXPORTS = (
    *("--select", "+tag:hospital", "+dim_date", "+dim_patient", "+quarantine"),
    *("+feed_reconciliation", "undeclared_columns", "--exclude-resource-type", "unit_test"),
    *("--indirect-selection", "cautious"),
    *("--exclude", "processed_healthcare_data", "enriched_healthcare_data"),
    *(f"resource_type:test,path:models/staging/{area}" for area in ("telehealth", "patient_flow")),
    *(f"resource_type:test,fqn:*{fact}*" for fact in ("fct_appointment", "fct_patient_stays")),
)

Answer = dict[str, Any]


class ContenderError(Exception):
    """A contender failed, or contenders disagree."""


@dataclass(frozen=True)
class Measurement:
    """What one fresh process used, and the answer it left.

    Attributes
    ----------
    cpu, wall : float
        Seconds; CPU is user and system time, of children too.
    peak : float
        Largest resident memory in MB.
    """

    name: str
    cpu: float
    wall: float
    peak: float
    answer: Answer = field(default_factory=dict)


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
        from wardhouse.sample import generate_hospital

        raw = self.place / name
        if not raw.is_dir():
            truth = self.place / "truth"
            generate_hospital(raw, self.treatments, self.seed, files=files, truth_dir=truth)
        return raw


def run_measured(
    name: str, command: Sequence[str | Path], log: Path, cwd: Path, env: dict[str, str]
) -> Measurement:
    """Run a command and measure it.

    Parameters
    ----------
    name
        Of the measurement.
    command, cwd, env
        What is run, where, and what is set on top of this process's environment.
    log
        File that takes its output.

    Raises
    ------
    ContenderError
        If it fails; the message ends with the last lines of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **env},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ContenderError(f"{name} ended with {process.returncode}:\n{tail}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Measurement(name, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / unit)


def _run_script(bench: Bench, name: str) -> Iterator[Measurement]:
    out = bench.place / name
    script = SCRIPTS / f"{name}.py"
    found = run_measured(
        name, [sys.executable, script, bench.raw, out], out / "log", bench.place, {}
    )
    yield _with_answer(found, json.loads((out / "answer.json").read_text()))


def _run_dbt(bench: Bench, name: str, *arguments: str, raw: Path | None = None) -> Measurement:
    out = bench.home
    env = {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "WARDHOUSE_RAW_DIR": str(raw or bench.raw),
        "WARDHOUSE_AREAS": "hospital",
        "WARDHOUSE_DB": str(out / "wardhouse.duckdb"),
        "WARDHOUSE_EXPORT_DIR": str(out / "exports"),
    }
    command = [Path(sys.executable).with_name("dbt"), "--quiet", *arguments]
    command += ["--target-path", out / "target", "--log-path", out / "logs"]
    return run_measured(name, command, out / "log", bench.project, env)


def _with_answer(found: Measurement, answer: Answer) -> Measurement:
    return Measurement(found.name, found.cpu, found.wall, found.peak, answer)


def read_answer(database: Path) -> Answer:
    """Ask a warehouse what the scripts write into `answer.json`."""
    import duckdb

    with duckdb.connect(str(database), read_only=True) as connection:
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


def _dbt_append(bench: Bench, name: str) -> Iterator[Measurement]:
    """Build all but the last file, then with it; and all of them at once, exports aside."""
    raw = bench.generate("raw_parts", PARTS)
    last = raw / "hospital" / "patients_data_with_doctor" / f"part-{PARTS:04d}.csv"
    aside = bench.place / last.name
    last.rename(aside)
    _build(bench, f"{name} (first {PARTS - 1} files)", *NO_EXPORTS, *NO_TESTS, raw=raw)
    aside.rename(last)
    yield _build(bench, name, *NO_EXPORTS, raw=raw, fresh=False)
    yield _build(bench, f"{name}_full", *NO_EXPORTS, raw=raw)


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


def describe_machine(packages: Sequence[str] = PACKAGES) -> str:
    """Say in one line what the figures were measured on, with the versions of packages."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return (
        f"{os.cpu_count()} cores of {model}, {memory:.0f} GB of memory, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}"
    )


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


@contextmanager
def kept_or_temporary(keep: Path | None) -> Iterator[Path]:
    """Give a place for data and outputs: a folder to keep, which must be new, or a passing one.

    Raises
    ------
    typer.BadParameter
        When the folder to keep holds something.
    """
    if keep:
        if keep.is_dir() and any(keep.iterdir()):
            raise typer.BadParameter(f"{keep} is not empty: a fresh build needs a fresh place")
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="wardhouse-bench-") as place:
            yield Path(place)


def _chosen(only: Sequence[str], treatments: int) -> tuple[list[str], str]:
    unknown = sorted(set(only) - set(CONTENDERS))
    if unknown:
        known = ", ".join(CONTENDERS)
        raise typer.BadParameter(f"no contender is called {', '.join(unknown)}; there are {known}")
    if only:
        return [name for name in CONTENDERS if name in only], ""
    if treatments <= LAB_MAX_TREATMENTS:
        return list(CONTENDERS), ""
    return (
        [name for name in CONTENDERS if name != "lab_script"],
        f"lab_script is left out above {LAB_MAX_TREATMENTS:,} treatments, unless --only names it",
    )


def hospital_command(
    treatments: Annotated[int, typer.Option(min=100, help="How many treatments.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Of the generated data.")] = DEFAULT_SEED,
    keep: Annotated[
        Path | None, typer.Option(help="New folder to keep data and outputs in.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="One contender; may be repeated.")
    ] = None,
) -> None:
    """Measure the hospital's build against hand-written scripts that do the same work."""
    from rich.console import Console
    from rich.table import Table

    from wardhouse.inspection import project_directory

    console = Console()
    names, note = _chosen(only or [], treatments)
    with kept_or_temporary(keep) as place, console.status("starting") as status:
        bench = Bench(place, project_directory(), treatments, seed)
        try:
            measurements = run_contenders(bench, names, status.update)
            agreement = check_agreement(measurements)
        except ContenderError as error:
            console.print(str(error), style="red", markup=False)
            raise typer.Exit(1) from None
    table = Table("contender", title=f"{treatments:,} treatments", title_justify="left")
    for heading in ("CPU s", "wall s", "peak MB"):
        table.add_column(heading, justify="right")
    for found in measurements:
        figures = (f"{found.cpu:.1f}", f"{found.wall:.1f}", f"{found.peak:,.0f}")
        table.add_row(found.name, *figures)
    console.print(table)
    for line in (note, agreement, describe_machine()):
        if line:
            console.print(line, markup=False, highlight=False)
    console.print()
    print(as_markdown(measurements, treatments))
