"""Files of a stream: messages in an envelope, by batch and compacted, land with their position."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from wardhouse.landing.feeds import Column, Feed
from wardhouse.landing.headers import FeedPlan
from wardhouse.landing.plan import plan_feed
from wardhouse.warehouse import quote

FEED = Feed(
    "clinic",
    "events",
    (
        Column("event_id", required=False),
        Column("patient_id", required=True, aliases=("patient",)),
        Column("ingested_at", required=False),
        Column("stream_position", required=False),
    ),
)
PAYLOADS = [
    '{"event_id": "e1", "patient": "p1"}',
    '{"patient_id": "p2", "ingested_at": "forged"}',
    "not json",
    '["an", "array"]',
    None,
]
AT = "2025-03-01 10:00:00"


def write_batch(folder: Path, start: int, payloads: list, suffix: str = ".parquet") -> Path:
    """Write a micro-batch as ingest does."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events-00000-{start:020d}{suffix}"
    records = [
        {"payload": text, "ingested_at": AT, "stream_position": f"events[0]@{start + place}"}
        for place, text in enumerate(payloads)
    ]
    if suffix == ".ndjson":
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path
    with duckdb.connect() as connection:
        connection.execute(
            'copy (select unnest(from_json(?, \'[{"payload": "varchar", '
            '"ingested_at": "timestamp", "stream_position": "varchar"}]\'), '
            f"recursive := true)) to {quote(str(path))} (format parquet)",
            [json.dumps(records)],
        )
    return path


def compact(paths: list[Path]) -> Path:
    """Write a compacted file of batches, which stay."""
    batches = [
        {
            "file": path.name,
            "n_bytes": path.stat().st_size,
            "content_hash": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in paths
    ]
    target = paths[0].with_name(f"{paths[0].stem}-compacted.parquet")
    reader = "read_parquet" if paths[0].suffix == ".parquet" else "read_json_auto"
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select payload, ingested_at::timestamp as ingested_at, stream_position, "
            f"parse_filename(filename) as source_file from {reader}(?, filename = true)) "
            f"to {quote(str(target))} (format parquet, kv_metadata "
            f"{{wardhouse: {quote(json.dumps({'batches': batches}))}}})",
            [[str(path) for path in paths]],
        )
    return target


def rows(plan: FeedPlan, select: str | None = None) -> list[tuple]:
    assert not plan.problems
    with duckdb.connect() as connection:
        return connection.execute(
            f"from ({select or plan.select}) order by stream_position"
        ).fetchall()


@pytest.mark.parametrize("suffix", [".parquet", ".ndjson"])
def test_every_message_is_a_record_or_an_unreadable_text_with_its_position(tmp_path, suffix):
    path = write_batch(tmp_path / "clinic/events", 7, PAYLOADS, suffix)
    name = f"clinic/events/{path.name}"
    found = [
        (event, patient, str(ingested_at)[:19], *rest)
        for event, patient, ingested_at, *rest in rows(plan_feed(tmp_path, FEED, {}))
    ]
    assert sorted(found, key=lambda row: int(row[3].partition("@")[2])) == [
        ("e1", "p1", AT, "events[0]@7", name, None),
        (None, "p2", AT, "events[0]@8", name, None),
        (None, None, AT, "events[0]@9", name, "not json"),
        (None, None, AT, "events[0]@10", name, '["an", "array"]'),
        (None, None, AT, "events[0]@11", name, ""),
    ]


@pytest.mark.parametrize("suffix", [".parquet", ".ndjson"])
def test_what_a_message_says_beside_declared_columns_is_kept_without_its_envelope(tmp_path, suffix):
    feed = replace(FEED, keep_undeclared=True)
    write_batch(tmp_path / "clinic/events", 0, PAYLOADS[:3], suffix)
    write_batch(
        tmp_path / "clinic/events", 3, ['{"patient": "p4", "z": 1, "a": {"b": null}}'], suffix
    )
    found = [row[4] for row in rows(plan_feed(tmp_path, feed, {}))]
    assert found == [None, None, None, '{"a":"{\\"b\\":null}","z":"1"}']


@pytest.mark.parametrize("suffix", [".parquet", ".ndjson"])
def test_compacted_file_stands_for_its_batches(tmp_path, suffix):
    folder = tmp_path / "clinic/events"
    paths = [write_batch(folder, start, PAYLOADS, suffix) for start in (0, 5, 10)]
    before = plan_feed(tmp_path, FEED, {})
    records = rows(before)
    compact(paths[:2])
    during = plan_feed(tmp_path, FEED, {}, landed=before.fingerprints)
    assert rows(during) == records
    for path in paths[:2]:
        path.unlink()
    after = plan_feed(tmp_path, FEED, {}, landed=before.fingerprints)
    assert rows(after) == records
    assert before.fingerprints == during.fingerprints == after.fingerprints
    assert during.select_fresh == after.select_fresh == ""


def test_larger_compacted_file_replaces_a_smaller_one(tmp_path):
    folder = tmp_path / "clinic/events"
    paths = [write_batch(folder, start, PAYLOADS) for start in (0, 5, 10)]
    expected = rows(plan_feed(tmp_path, FEED, {}))
    small = compact(paths[1:])
    compact(paths)
    assert small.exists()
    assert rows(plan_feed(tmp_path, FEED, {})) == expected


def test_compacted_files_that_overlap_are_refused(tmp_path):
    folder = tmp_path / "clinic/events"
    paths = [write_batch(folder, start, PAYLOADS) for start in (0, 5, 10)]
    compact(paths[:2])
    compact(paths[1:])
    assert "both hold" in plan_feed(tmp_path, FEED, {}).problems[0]


def test_new_batch_alone_is_fresh(tmp_path):
    folder = tmp_path / "clinic/events"
    write_batch(folder, 0, PAYLOADS)
    before = plan_feed(tmp_path, FEED, {})
    write_batch(folder, 5, PAYLOADS[:1])
    after = plan_feed(tmp_path, FEED, {}, landed=before.fingerprints)
    assert [row[3] for row in rows(after, after.select_fresh)] == ["events[0]@5"]
    assert len(rows(after)) == len(PAYLOADS) + 1


def test_poison_line_of_plain_ndjson_is_set_aside_alone(tmp_path):
    """Also where it comes first: what kind of file it is does not hang on one line."""
    path = tmp_path / "clinic" / "events.ndjson"
    path.parent.mkdir()
    path.write_bytes(
        b'["an", "array"]\n{"patient_id": "p1"}\n{"patient_id": "\xff\xfe"}\n{"patient_id": "p2"}\n'
    )
    plan = plan_feed(tmp_path, FEED, {})
    assert not plan.problems
    with duckdb.connect() as connection:
        found = connection.execute(plan.select).fetchall()
        refused = connection.execute("select line, csv_line from landing_rejects").fetchall()
    assert [(row[1], row[5]) for row in found] == [
        (None, '["an", "array"]'),
        ("p1", None),
        ("p2", None),
    ]
    assert [line for line, _ in refused] == [3]
