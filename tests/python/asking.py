"""Versions to serve that no build made, and requests that reach the API as a server passes them."""

import asyncio
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
from wardhouse.publish import versions
from wardhouse.routes import Route, same

KEYS = {"reader": ["read"], "nurse": ["read", "patients"], "prometheus": ["metrics"]}
WARDS = """
    select
        'ward ' || chr(65 + number::integer % 4) as ward,
        case number when 0 then 'Dr. A. B''Ohm' when 1 then 'a/b "c"' when 2 then 'Zoë' else 'W' || number end as name,
        number::integer as n_stays,
        case when number % 3 = 0 then null else number * 1.5 end::decimal(18, 2) as cost,
        case when number = 4 then 'nan'::double else number / 7 end as rate,
        number % 2 = 0 as is_open,
        date '2026-01-01' + number::integer as day,
        timestamp '2026-01-01 10:00:00.25' + interval (number) hour as seen_at,
        9007199254740993 + number as ward_key,
        [number, number] as counts,
        {version} as written_in
    from range(50) as numbers (number)
"""  # noqa: E501
PEOPLE = "select 'f' || number as patient_key, 'yes' as offer from range(30) as people (number)"
TABLES = {"clinic.wards": WARDS, "clinic.people": PEOPLE}
ROUTES = [
    Route(
        "/v1/wards",
        "clinic.wards",
        "Wards.",
        filters=same("ward", "is_open"),
        ranges=("n_stays", "cost", "day", "seen_at"),
        name="name",
        aliases=("/wards",),
    ),
    Route("/v1/gone", "clinic.gone", "What was not published.", name="name"),
    Route("/v1/now", "clinic.now", "What is now.", filters=same("ward"), is_live=True),
]


def write_version(
    folder: Path, tables: Mapping[str, str], audiences: tuple[str, ...] = ("internal",)
) -> str:
    """Publish tables, each with the SQL that makes it."""
    with versions.publishing(folder) as writing:
        version = writing.name.removeprefix(versions.WRITING)
        published_at = datetime.now(UTC).isoformat()
        for audience in audiences:
            place = writing / audience
            told = [
                _write(place, name, sql.format(version=version)) for name, sql in tables.items()
            ]
            manifest = {"version": version, "published_at": published_at, "tables": told}
            (place / versions.MANIFEST).write_text(json.dumps(manifest))
        return versions.finish(writing, published_at)


def _write(place: Path, name: str, sql: str) -> dict[str, Any]:
    schema, _, table = name.partition(".")
    file = f"{schema}/{table}.parquet"
    (place / schema).mkdir(parents=True, exist_ok=True)
    duckdb.sql(sql).write_parquet(str(place / file))
    return {
        "name": name,
        "schema": schema,
        "table": table,
        "file": file,
        "description": name,
        "columns": [],
        "is_patient_level": name == "clinic.people",
    }


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> Any:
        """Read it as JSON."""
        is_packed = self.headers.get("content-encoding") == "gzip"
        return json.loads(gzip.decompress(self.body) if is_packed else self.body)


def ask(application: Any, target: str | bytes, key: str | None = None, **more: Any) -> Answer:
    """Ask once; what the target holds reaches the application as a client wrote it.

    Further arguments are the method, the body's pieces, a list that gets the answer though the
    application fails, and headers (`_` for `-`).
    """
    method, pieces = more.pop("method", "GET"), more.pop("pieces", [b""])
    answers = more.pop("answers", [])
    headers = {"host": "localhost", **({"x-api-key": key} if key else {}), **more}
    raw = target if isinstance(target, bytes) else target.encode()
    path, _, query = raw.partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [
            (name.replace("_", "-").encode(), value.encode("latin-1"))
            for name, value in headers.items()
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    left, sent = list(pieces), []

    async def receive() -> dict[str, Any]:
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    try:
        asyncio.run(application(scope, receive, send))
    finally:
        answer = _read(sent)
        answers.append(answer)
    return answer


def _read(sent: list[dict[str, Any]]) -> Answer:
    start, *rest = sent
    told = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], told, b"".join(each.get("body", b"") for each in rest))
