"""Building again: the same content, and after any change of the files what a clean build gives.

Asked of the macros, on a project of three models; of an area's own models in one chain each,
in tests/python/areas.
"""

import random
import shutil
from pathlib import Path

import duckdb
import pytest
from builds import Builder, Outcome, parse
from chains import Chain
from contents import assert_same, contents
from three_models import BASE, COLUMNS, write_project

pytestmark = pytest.mark.long

HEADER = ",".join(COLUMNS)
N_PARTS, PART_VISITS = 12, 25
N_TABLES = 8  # the models, the seeds, and what landing says of files and records
EXPORTS = ["clinic/department_costs.csv", "clinic/department_costs.parquet"]
N_CHANGES = 25
REJECT = "key=['visit_id'], on_conflict='reject'"
LAST = "key=['visit_id'], on_conflict='last'"
NEWEST = "key=['visit_id'], newest_by='told_at'"


def visits(part: int) -> list[str]:
    """Write the visits of one file: of its own patients, and a department in three of many."""
    numbers = range(part * PART_VISITS, (part + 1) * PART_VISITS)
    return [f"V{n},P{n // 2},Ward {n % 40},{n}.25,2025-03-01 10:00:00" for n in numbers]


def dirty(part: int) -> list[str]:
    """Write what is wrong in one file: no patient, no cost, a copy, a line cut short."""
    first = visits(part)[0]
    return [f"V{part}x,,Ward 1,5,", f"V{part}y,P{part},Ward 1,N/A,", f" {first}", f"V{part}z,P1"]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def builders(tmp_path_factory):
    """Return a function that gives the builder of the project whose base model has the settings."""
    found = {}

    def builder(settings: str) -> Builder:
        if settings not in found:
            place = tmp_path_factory.mktemp("three_models")
            project = write_project(place / "project", settings)
            found[settings] = Builder(parse(place, project), project=project)
        return found[settings]

    return builder


@pytest.fixture(scope="module")
def built(builders, tmp_path_factory):
    """Return a function that gives a place of raw files and what the project makes of them."""
    found = {}

    def built(settings: str) -> Path:
        if settings not in found:
            found[settings] = place = tmp_path_factory.mktemp("built")
            folder = place / "pristine" / "clinic" / "visits"
            folder.mkdir(parents=True)
            for part in range(N_PARTS):
                write(folder / f"part-{part:02}.csv", *visits(part), *dirty(part))
            shutil.copytree(place / "pristine", place / "raw")
            outcome = builders(settings)(place / "raw", place)
            assert outcome.success, outcome.message
        return found[settings]

    return built


class Clinic(Chain):
    """The chain of the three models."""

    def __init__(self, builder: Builder, built: Path, place: Path):
        super().__init__(builder, built / "raw", place, "build", at_least=N_TABLES)
        # Each begins with the files as they were, at the place at which they were built.
        shutil.rmtree(self.raw)
        shutil.copytree(built / "pristine", self.raw)
        shutil.copy(built / "wardhouse.duckdb", self.warehouse)

    @property
    def visits(self) -> Path:
        """Give the folder of the feed."""
        return self.raw / "clinic" / "visits"


@pytest.fixture
def clinic(builders, built, tmp_path) -> Clinic:
    """Return a clinic of whose conflicting records none counts."""
    return Clinic(builders(REJECT), built(REJECT), tmp_path)


def counts(outcome: Outcome) -> tuple:
    """Count visits that count, refused and repeated ones, and what could not be read."""
    [row] = outcome.query(
        "select count(*) filter (rejection_reason is null and not is_duplicate), "
        "count(*) filter (rejection_reason is not null), count(*) filter (is_duplicate), "
        f"(select count(*) from landing.unreadable_records) from staging.{BASE}"
    )
    return row


PRISTINE = (N_PARTS * (PART_VISITS + 1), N_PARTS, N_PARTS, N_PARTS)


def test_building_twice_gives_the_same_content(clinic):
    before = contents(clinic.database)
    outcome = clinic.build()
    assert contents(outcome.database) == before
    assert len(before) >= N_TABLES
    assert counts(outcome) == PRISTINE
    assert outcome.query("select sum(n_visits) from clinic.department_costs") == [(PRISTINE[0],)]


def test_a_changed_file_gives_what_a_clean_build_gives(clinic):
    part = clinic.visits / "part-03.csv"
    lines = part.read_text().splitlines()
    write(part, *lines[1:10], *lines[15:], "V9001,P76,Ward 3,12.5,")
    outcome = clinic.build_as_clean()
    cost = "select cost::varchar from core.fct_visits where visit_id = 'V9001'"
    assert outcome.query(cost) == [("12.50",)]


@pytest.mark.system
@pytest.mark.parametrize("n_removed", [1, 7])
def test_removed_files_give_what_a_clean_build_gives(clinic, n_removed):
    """Few, which are taken out, and so many that all is read again."""
    for part in range(2, 2 + n_removed):
        (clinic.visits / f"part-{part:02}.csv").unlink()
    outcome = clinic.build_as_clean()
    n_left = N_PARTS - n_removed
    assert counts(outcome) == tuple(count // N_PARTS * n_left for count in PRISTINE)


def test_an_added_file_gives_what_a_clean_build_gives(clinic):
    write(
        clinic.visits / "part-000.csv",
        "V9001,P1,Ward 1,12.5,",
        "V9002,P9999,A new ward,N/A,2025-02-30",
        "V9003,,Ward 1,1,",
        "V9004,P1,Ward 1",
    )
    found = counts(clinic.build_as_clean())
    assert found == tuple(a + b for a, b in zip(PRISTINE, (2, 1, 0, 1), strict=True))


@pytest.mark.system
def test_a_file_that_became_empty_gives_what_a_clean_build_gives(clinic):
    (clinic.visits / "part-01.csv").write_bytes(b"")
    write(clinic.visits / "part-03.csv")
    found = counts(clinic.build_as_clean())
    assert found == tuple(count // N_PARTS * (N_PARTS - 2) for count in PRISTINE)


@pytest.mark.system
def test_a_duplicate_takes_the_place_of_the_first_whose_file_disappears(clinic):
    line = "V9001,P1,Ward 1,12.5,"
    first = write(clinic.visits / "a.csv", line)
    write(clinic.visits / "z.csv", line.replace("V9001,P1", " v9001 ,p1"))
    query = (
        f"select source_file, is_duplicate from staging.{BASE} where visit_id = 'V9001' order by 1"
    )
    folder = "clinic/visits"
    assert clinic.build().query(query) == [(f"{folder}/a.csv", False), (f"{folder}/z.csv", True)]
    first.unlink()
    assert clinic.build_as_clean().query(query) == [(f"{folder}/z.csv", False)]


def test_a_conflict_appears_and_disappears_with_its_file(clinic):
    query = "select count(*) from core.fct_visits where visit_id = 'V101'"
    before = contents(clinic.database)
    added = write(clinic.visits / "z.csv", "V101,P1,Ward 1,1,")
    outcome = clinic.build_as_clean()
    assert outcome.query(query) == [(0,)]
    assert outcome.query(
        f"select count(*) from staging.{BASE} where rejection_reason = 'conflicting_visit_id' "
        "and rejected_record like '%V101%'"
    ) == [(2,)]
    added.unlink()
    outcome = clinic.build()
    assert outcome.query(query) == [(1,)]
    assert contents(outcome.database) == before


@pytest.mark.system
def test_the_last_description_counts_until_its_file_is_gone(builders, built, tmp_path):
    clinic = Clinic(builders(LAST), built(LAST), tmp_path)
    query = "select department from core.fct_visits where visit_id = 'V100'"
    before = contents(clinic.database)
    added = write(clinic.visits / "z.csv", "V100,P50,Moved,1,")
    assert clinic.build_as_clean().query(query) == [("Moved",)]
    added.unlink()
    assert contents(clinic.build().database) == before


@pytest.mark.system
def test_the_newest_record_counts_until_its_file_is_gone(builders, built, tmp_path):
    clinic = Clinic(builders(NEWEST), built(NEWEST), tmp_path)
    query = "select department from core.fct_visits where visit_id = 'V100'"
    before = contents(clinic.database)
    older = write(clinic.visits / "z.csv", "V100,P50,Older,1,2025-02-01 10:00:00")
    assert clinic.build_as_clean().query(query) == [("Ward 20",)]
    newer = write(clinic.visits / "a.csv", "V100,P50,Newer,1,2025-04-01 10:00:00")
    assert clinic.build_as_clean().query(query) == [("Newer",)]
    # Of two contents that are equally new none is known to be right.
    write(older, "V100,P50,Other,1,2025-04-01 10:00:00")
    assert clinic.build_as_clean().query(query) == []
    newer.unlink()
    older.unlink()
    assert contents(clinic.build().database) == before


@pytest.mark.system
def test_a_file_given_twice_changes_nothing_but_the_number_of_duplicates(clinic):
    shutil.copy(clinic.visits / "part-02.csv", clinic.visits / "part-99.csv")
    before = contents(clinic.database)
    outcome = clinic.build_as_clean()
    after = contents(outcome.database)
    assert {table for table in before if before[table] != after[table]} == {
        "landing.landed_files",
        "landing.unreadable_records",
        f"staging.{BASE}",
    }
    # What was refused is refused twice; what was accepted counts once.
    added = (0, 1, PART_VISITS + 2, 1)
    assert counts(outcome) == tuple(a + b for a, b in zip(PRISTINE, added, strict=True))


@pytest.mark.system
def test_the_order_of_raw_rows_does_not_matter(clinic):
    chance = random.Random(7)
    before = contents(clinic.database)
    for part in clinic.visits.iterdir():
        header, *lines = part.read_text().splitlines()
        chance.shuffle(lines)
        part.write_text("\n".join([header, *lines]) + "\n")
    after = contents(clinic.build().database)
    results = {table for table in before if table.split(".")[0] in ("core", "clinic")}
    assert len(results) == 2
    assert {table for table in results if before[table] != after[table]} == set()


def test_two_raw_directories_never_mix(clinic):
    raw, other = clinic.raw, clinic.place / "other"
    shutil.copytree(raw, other)
    clinic.raw = other
    for part in range(5, N_PARTS):
        (clinic.visits / f"part-{part:02}.csv").unlink()
    before = contents(clinic.database)
    for arguments in ((), ("build", "--full-refresh"), ("build", "--empty")):
        outcome = clinic.run(clinic.warehouse, *arguments)
        assert not outcome.success
        for words in (str(raw.resolve()), str(other.resolve()), "`wardhouse reset`"):
            assert words in outcome.message
    assert contents(clinic.database) == before


@pytest.mark.system
def test_a_full_refresh_in_place_gives_what_a_clean_build_gives(clinic):
    (clinic.visits / "part-01.csv").unlink()
    write(clinic.visits / "z.csv", "V9001,P1", "V100,P1,Ward 1,1,")
    clinic.build()
    outcome = clinic.build("build", "--full-refresh")
    assert_same(outcome.database, clinic.build_clean().database, at_least=N_TABLES)
    assert counts(outcome)[3] == PRISTINE[3]


@pytest.mark.system
def test_fewer_areas_than_before_are_refused(clinic):
    results = clinic.raw / "laboratory" / "results.csv"
    results.parent.mkdir()
    results.write_text("id\n1\n")
    clinic.build()
    before = contents(clinic.database)
    clinic.areas = "clinic"
    for arguments in ((), ("build", "--full-refresh")):
        outcome = clinic.run(clinic.warehouse, *arguments)
        assert not outcome.success
        assert "laboratory" in outcome.message
        assert "`wardhouse reset`" in outcome.message
    assert contents(clinic.database) == before


@pytest.mark.system
def test_a_changed_variable_reads_the_files_again(clinic):
    query = f"select count(*) from staging.{BASE} where rejection_reason = 'missing_cost'"
    outcome = clinic.build_as_clean("build", "--vars", "{missing_cost_policy: reject}")
    assert outcome.query(query) == [(N_PARTS,)]
    outcome = clinic.build_as_clean()
    assert outcome.query(query) == [(0,)]


def test_exports_are_replaced_whole_and_leave_no_other_file(clinic):
    outcome = clinic.build()
    kept = clinic.place / "kept"
    kept.mkdir()
    for number, name in enumerate(EXPORTS):
        (kept / str(number)).hardlink_to(outcome.exports / name)
    before = [(kept / str(number)).read_bytes() for number in range(len(EXPORTS))]
    (clinic.visits / "part-01.csv").unlink()
    clinic.build()
    # A file written in place would have changed under its second name too.
    assert [(kept / str(number)).read_bytes() for number in range(len(EXPORTS))] == before
    assert [(outcome.exports / name).read_bytes() for name in EXPORTS] != before
    files = [path for path in outcome.exports.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(outcome.exports).as_posix() for path in files) == EXPORTS


def test_a_text_that_a_spreadsheet_would_run_is_marked_as_text_in_csv_alone(clinic):
    texts = ["=1+1", "+1", "-1", "@x", "a=b"]
    lines = [f"F{place},P0,{text},-5,2025-03-01 10:00:00" for place, text in enumerate(texts)]
    write(clinic.visits / "formulas.csv", *lines)
    outcome = clinic.build()
    csv, parquet = (outcome.exports / name for name in EXPORTS)
    assert set(duckdb.sql(f"select department from '{parquet}'").fetchall()) >= {
        (t,) for t in texts
    }
    rows = {tuple(line.split(",")) for line in csv.read_text().splitlines()}
    assert rows >= {("'=1+1", "1", "-5.00"), ("'+1", "1", "-5.00"), ("'-1", "1", "-5.00")}
    assert rows >= {("'@x", "1", "-5.00"), ("a=b", "1", "-5.00")}


@pytest.mark.system
def test_a_build_that_failed_on_its_exports_is_made_good_by_the_next(clinic):
    (clinic.visits / "part-01.csv").unlink()
    write(clinic.visits / "part-000.csv", "V9001,P1,Ward 1,12.5,")
    exports = clinic.warehouse / "exports"
    exports.write_text("not a folder")
    outcome = clinic.run(clinic.warehouse)
    assert not outcome.success
    assert outcome.statuses["department_costs"] == "error"
    exports.unlink()
    clinic.build_as_clean()
    files = [path for path in exports.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(exports).as_posix() for path in files) == EXPORTS


@pytest.mark.system
def test_a_model_that_failed_while_landing_takes_nothing_for_landed(clinic):
    with duckdb.connect(str(clinic.database)) as connection:
        connection.execute(f"alter table staging.{BASE} add column unexpected varchar")
    before = contents(clinic.database)
    (clinic.visits / "part-01.csv").unlink()
    write(clinic.visits / "part-000.csv", "V9001,P1,Ward 1,12.5,", "V9")
    outcome = clinic.run(clinic.warehouse)
    assert not outcome.success
    assert outcome.statuses[BASE] == "error"
    after = contents(clinic.database)
    for table in (f"staging.{BASE}", "core.fct_visits", "landing.landed_files"):
        assert after[table] == before[table], table
    with duckdb.connect(str(clinic.database)) as connection:
        connection.execute(f"alter table staging.{BASE} drop column unexpected")
    clinic.build_as_clean()


@pytest.mark.system
def test_a_consumer_that_missed_builds_makes_up_for_it(clinic):
    for number, arguments in enumerate(
        (
            ("run", "--select", BASE),
            ("run", "--full-refresh", "--select", f"{BASE}+1"),
            ("run", "--select", "+fct_visits"),
        )
    ):
        write(clinic.visits / f"late-{number}.csv", f"V900{number},P{number},Ward {number},1,")
        clinic.build(*arguments)
    outcome = clinic.build_as_clean()
    assert outcome.query("select count(*) from core.fct_visits where visit_id like 'V900%'") == [
        (3,)
    ]


def change(clinic: Clinic, chance: random.Random) -> None:
    """Change one or more files at random: add, remove, cut, repeat, contradict, tell again."""
    for _ in range(chance.choice((1, 1, 2, 6))):
        files = sorted(clinic.visits.iterdir())
        chosen = chance.choice(files)
        lines = chosen.read_text().splitlines()[1:]
        match chance.choice(("add", "add", "remove", "cut", "copy", "contradict")):
            case "remove" if len(files) > 2:
                chosen.unlink()
            case "cut":
                write(chosen, *chance.sample(lines, len(lines) // 2))
            case "copy":
                shutil.copy(chosen, clinic.visits / f"copy-{chance.randrange(10**6)}.csv")
            case "contradict" if lines:
                visit, *rest = chance.choice(lines).split(",")
                told = f"2025-03-{chance.randrange(1, 29):02}"
                line = ",".join([visit, *rest[:1], "Elsewhere", "1", told])
                write(clinic.visits / f"other-{chance.randrange(10**6)}.csv", line)
            case _:
                part = chance.randrange(N_PARTS * 2)
                write(clinic.visits / f"new-{part}.csv", *chance.sample(visits(part), 12))


@pytest.mark.parametrize("settings", [REJECT, LAST, NEWEST], ids=["reject", "last", "newest"])
@pytest.mark.system
@pytest.mark.parametrize("seed", [1, 2])
def test_any_chain_of_changes_gives_what_a_clean_build_gives(
    builders, built, tmp_path, settings, seed
):
    chance = random.Random(seed)
    clinic = Clinic(builders(settings), built(settings), tmp_path)
    sizes = set()
    for _ in range(N_CHANGES):
        change(clinic, chance)
        sizes.add(counts(clinic.build_as_clean()))
    assert len(sizes) > N_CHANGES // 2
