"""Live answers: what a stream's cycle leaves, one version without history."""

import hashlib
import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from publishing import MARTS, Warehouse, build, write_clinic
from wardhouse.publish.live import publish_live
from wardhouse.publish.read import live, newest, open_views
from wardhouse.publish.versions import PublishError, publishing
from wardhouse.warehouse import open_to_read

pytestmark = pytest.mark.long

N_CYCLES = 20
EVENT_AT = datetime(2025, 9, 21, 12, 30, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Warehouse:
    place = tmp_path_factory.mktemp("clinic")
    return build(write_clinic(place / "project"), place, "V1,P1,Ward 1,12.5,", "V2,P2,Ward 2,7,")


@pytest.fixture
def clinic(built, tmp_path) -> Warehouse:
    return built.copy(tmp_path / "clinic")


def nodes_of(warehouse: Warehouse, *names: str) -> list[dict]:
    """Give models as a cycle gives those that are live."""
    nodes = json.loads(warehouse.dbt_manifest.read_text())["nodes"]
    return [nodes[f"model.wardhouse.{name}"] for name in names]


def leave(warehouse: Warehouse, *names: str, cost: int | None = None) -> None:
    """Publish what is live of it, as a cycle does, by a connection that writes."""
    nodes = nodes_of(warehouse, *names or (mart.partition(".")[2] for mart in MARTS))
    with duckdb.connect(str(warehouse.database)) as connection:
        for mart in MARTS if cost is not None else ():
            connection.execute(f"update {mart} set cost = {cost}")
        publish_live(connection, nodes, warehouse.folder, EVENT_AT)


def left(warehouse: Warehouse) -> list[str]:
    """Name what is in the live folder, but the lock and the pointer."""
    names = {path.name for path in (warehouse.folder / "live").iterdir()}
    return sorted(names - {".lock", "current.json"})


def test_cycle_leaves_one_version_that_tells_when_it_was(clinic):
    leave(clinic)
    leave(clinic)
    assert left(clinic) == ["000002"]
    with live(clinic.folder) as snapshot, open_views(snapshot, "1GB") as connection:
        told = snapshot.manifest
        counted = connection.sql("select sum(n_visits) from clinic.department_costs").fetchall()
    assert counted == [(2,)]
    assert (told["version"], told["audience"]) == ("000002", "internal")
    assert told["newest_event_at"] == "2025-09-21T12:30:00Z"
    assert datetime.fromisoformat(told["published_at"]) <= datetime.now(UTC)
    assert [table["name"] for table in told["tables"]] == sorted(MARTS)
    for table in told["tables"]:
        content = (snapshot.folder / table["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == table["sha256"]


def test_live_answers_and_versions_do_not_meet(clinic):
    published = clinic.publish().folder
    leave(clinic, cost=5)
    clinic.publish(keep=1)
    assert left(clinic) == ["000001"]
    assert not published.exists()
    with newest(clinic.folder, "internal") as snapshot:
        assert snapshot.version == "000002"


def test_version_that_is_read_stays_until_it_is_closed(clinic):
    leave(clinic, cost=1)
    with live(clinic.folder) as snapshot, open_views(snapshot, "1GB") as connection:
        leave(clinic, cost=2)
        assert left(clinic) == ["000001", "000002"]
        assert connection.sql("select distinct cost from clinic.size_costs").fetchall() == [(1,)]
    leave(clinic, cost=3)
    assert left(clinic) == ["000003"]


def test_reader_never_sees_two_cycles_in_one(clinic):
    """As many reads as come meanwhile, each of both tables and held against their hashes."""
    leave(clinic, cost=0)
    is_over, seen, wrong = threading.Event(), set(), []

    def read() -> None:
        query = " union ".join(f"select cost from {mart}" for mart in MARTS)
        while not is_over.is_set():
            try:
                with live(clinic.folder) as snapshot, open_views(snapshot, "1GB") as connection:
                    costs = connection.sql(query).fetchall()
            except Exception as error:  # told by the assertion below
                wrong.append(error)
                return
            seen.add(snapshot.version)
            if len(costs) != 1:
                wrong.append(costs)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for cost in range(1, N_CYCLES):
        leave(clinic, cost=cost)
    is_over.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert len(seen) > 2


def test_what_is_not_built_yet_leaves_nothing(clinic):
    clinic.execute("drop table clinic.size_costs")
    leave(clinic, "size_costs")
    assert not (clinic.folder / "live").exists()
    with pytest.raises(PublishError, match=r"nothing is published in .*: run wardhouse stream"):
        live(clinic.folder)


def test_damaged_live_answers_name_the_command_that_makes_them_again(clinic):
    leave(clinic, "size_costs")
    with live(clinic.folder) as snapshot:
        (snapshot.folder / snapshot.manifest["tables"][0]["file"]).unlink()
        with pytest.raises(PublishError, match="is damaged: run wardhouse stream again"):
            open_views(snapshot, "1GB")


def break_view(clinic: Warehouse) -> None:
    clinic.execute(
        "drop table clinic.size_costs",
        "create table clinic.gone as select 1 as n",
        "create view clinic.size_costs as select n as n_visits from clinic.gone",
        "drop table clinic.gone",
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda clinic: clinic.folder.write_text("a file"), "cannot take live answers: "),
        (break_view, "live answers cannot be published: "),
        (
            lambda clinic: clinic.execute("alter table clinic.size_costs add column odd integer"),
            "clinic.size_costs has other columns than the project declares",
        ),
    ],
)
def test_what_cannot_be_live_says_why_in_a_line(clinic, spoil, message):
    spoil(clinic)
    with pytest.raises(PublishError, match=message) as refused:
        leave(clinic)
    assert "\n" not in str(refused.value)


def test_another_stream_of_the_area_waits_for_its_turn(clinic):
    with publishing(clinic.folder / "live"), pytest.raises(PublishError, match="another process"):
        leave(clinic)


# The project's own ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flow(sample, manifest, tmp_path_factory) -> Path:
    """Return the folder into which the sample's live answers are published."""
    folder = tmp_path_factory.mktemp("sample") / "published"
    nodes = [node for node in manifest.nodes.values() if node.config.meta.get("live")]
    assert {node.schema for node in nodes} == {"patient_flow"}
    with open_to_read(sample.database) as connection:
        publish_live(connection, [node.to_dict(omit_none=True) for node in nodes], folder, EVENT_AT)
    return folder


def ask(folder: Path, query: str) -> list[tuple]:
    with live(folder) as snapshot, open_views(snapshot, "1GB") as connection:
        return connection.execute(query).fetchall()


def test_last_hours_are_those_of_core(sample, flow):
    hours = ask(flow, "select department_key, hour_at, n_admissions, n_discharges, census "
                "from patient_flow.last_48_hours order by all")  # fmt: skip
    [[n_departments, newest_at]] = sample.query(
        "select count(distinct department_key), max(hour_at) from core.department_hours"
    )
    assert len(hours) == 48 * n_departments
    assert max(hour_at for _, hour_at, *_ in hours) == newest_at
    of_core = sample.query(
        "select department_key, hour_at, n_admissions, n_discharges, census "
        "from core.department_hours order by all"
    )
    ours = {row[:2]: row[2:] for row in hours}
    theirs = {row[:2]: row[2:] for row in of_core if row[:2] in ours}
    assert len(theirs) > 40 * n_departments
    assert {key: ours[key] for key in theirs} == theirs


def test_now_is_counted_by_hand_from_the_stays(sample, flow):
    stays = sample.frame(
        "select * from core.fct_patient_stays where is_admission_credible order by admitted_at"
    )
    left_at = stays.discharged_at[stays.is_stay_credible & ~stays.is_discharge_planned]
    now = max(stays.admitted_at.max(), left_at.max())
    hours = (now - stays.admitted_at).dt.total_seconds() / 3600
    is_in = stays.is_stay_credible & ~(stays.discharged_at <= now) & (hours <= 180 * 24)
    assert 50 < is_in.sum() < len(stays) / 2
    expected = {}
    for key, rows in stays.groupby("department_key"):
        there = is_in.loc[rows.index]
        expected[key] = (
            int(there.sum()),
            int((hours.loc[rows.index] < 1).sum()),
            int((there & rows.wait_minutes.isna()).sum()),
            int((there & (rows.wait_minutes > 60)).sum()),
            int((there & (hours.loc[rows.index] > 72)).sum()),
        )
    found = ask(flow, "select department_key, census, n_admissions_last_hour, n_wait_unknown, "
                "n_waited_beyond_target, n_stayed_beyond_target, now_at "
                "from patient_flow.department_now")  # fmt: skip
    assert {row[-1] for row in found} == {now.to_pydatetime()}
    assert {row[0]: row[1:-1] for row in found} == expected


def test_no_patient_is_in_live_answers(sample, flow):
    with live(flow) as snapshot:
        pii = [
            column["pii"] for table in snapshot.manifest["tables"] for column in table["columns"]
        ]
    assert set(pii) == {None}
