"""The routes of one version: an application whose types are those of the published columns."""

import hashlib
from collections.abc import Callable, Iterable
from importlib.metadata import version as version_of
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from wardhouse.api.answers import REVALIDATED, UNKEPT, as_json, has, not_modified, respond
from wardhouse.api.callers import CALLER, SCHEMES, SCOPE
from wardhouse.api.editions import Edition, Editions
from wardhouse.api.problems import (
    SCHEMA,
    of_fault,
    of_parameters,
    of_status,
    responses,
)
from wardhouse.api.queries import Question, take_none
from wardhouse.api.tables import Table
from wardhouse.routes import Route

JSON = "application/json"
SOFTWARE = version_of("wardhouse")
PATIENTS = "/v1/patients"
MANY = 10_000  # rows from which on a search would keep others waiting
NAME_MEANING = "The name, in any case."
Name = Annotated[
    str, Path(min_length=1, max_length=200, pattern=r"^[^\x00]*$", description=NAME_MEANING)
]
TOLD = {"version": {"type": "string", "description": "Published version that this is from."}}


def require(request: Request, scope: str) -> None:
    """Refuse a request without a key of a scope."""
    caller = request.scope[CALLER]
    if caller is None:
        raise HTTPException(401, "send a key as X-API-Key", {"WWW-Authenticate": "Bearer"})
    if scope not in caller.scopes:
        raise HTTPException(403, f"the key lacks the scope {scope}")


def guard(scope: str | None) -> Any:
    """Let only keys with a scope through; None lets all."""

    async def check(request: Request) -> None:
        request.scope[SCOPE] = scope
        if scope is not None:
            require(request, scope)

    return Depends(check)


async def _search(table: Table, search: Callable[..., Any], *asked: Any) -> Any:
    """Search a table, a large one in a thread of its own."""
    return search(*asked) if len(table) < MANY else await run_in_threadpool(search, *asked)


class Operations:
    """Adds the routes of an edition to an application.

    Parameters
    ----------
    edition
        The version.
    editions
        What it is one of: they know the audience, and what a stream left last.
    """

    def __init__(self, edition: Edition, editions: Editions):
        self.edition, self.editions = edition, editions
        self.app = FastAPI(
            title="Wardhouse",
            version=SOFTWARE,
            description=f"Answers of the warehouse, for {editions.audience} readers. The header "
            "Snapshot-Version names the published version that an answer is from.",
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
            redirect_slashes=False,
            exception_handlers={
                HTTPException: of_status,
                RequestValidationError: of_parameters,
                Exception: of_fault,
            },
        )

    @property
    def _is_internal(self) -> bool:
        return self.editions.audience == "internal"

    def add(self, routes: Iterable[Route]) -> None:
        """Add lists, each with its rows by name, and those of tables about single patients."""
        for route in routes:
            table = self.edition.tables.get(route.table)
            for path in (route.path, *route.aliases):
                self._add_list(route, path, None if route.is_live else table)
                if route.name:
                    self._add_one(route, path, table)
        patients = {
            name: table for name, table in self.edition.tables.items() if table.is_patient_level
        }
        self._add_patients(patients)

    def get(
        self,
        path: str,
        endpoint: Callable[..., Any],
        summary: str,
        scope: str | None,
        schema: dict[str, Any],
        links: dict[str, Any] | None = None,
        media: str = JSON,
        parameters: list[dict[str, Any]] | None = None,
    ) -> None:
        """Add an operation; None as its scope opens it to all."""
        found = {"description": "The answer.", "content": {media: {"schema": schema}}}
        headers = {"Snapshot-Version": {"schema": {"type": "string"}, "required": True}}
        told = responses() | {
            200: found | {"headers": headers} | ({"links": links} if links else {}),
            304: {"description": "The reader holds the answer already (If-None-Match)."},
        }
        security = [{name: []} for name in SCHEMES] if scope else []
        extra = {"security": security} | ({"parameters": parameters} if parameters else {})
        self.app.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            summary=summary,
            response_class=Response,
            responses=told,
            dependencies=[guard(scope)],
            openapi_extra=extra,
            operation_id=_operation_id(path.replace(":path", "")),
        )

    def schema(self) -> dict[str, Any]:
        """Give the OpenAPI description."""
        if self.app.openapi_schema is None:
            told = self.app.openapi()
            components = told.setdefault("components", {})
            components["schemas"] = {"Problem": SCHEMA}
            components["securitySchemes"] = SCHEMES
        return self.app.openapi_schema

    def tag(self, request: Request, edition: Edition) -> str:
        """Name an answer among all answers of all versions."""
        asked = (
            SOFTWARE,
            self.editions.audience,
            edition.version,
            edition.manifest["published_at"],
            request.url.path,
            request.url.query,
        )
        return hashlib.blake2b("\n".join(asked).encode(), digest_size=12).hexdigest()

    def _add_list(self, route: Route, path: str, table: Table | None) -> None:
        question = Question(route, table.columns if table else None)
        operations = self
        scope, caching = _care(table)

        async def list_rows(request: Request) -> Response:
            query = question.asked(request)
            edition, found = operations._source(route)
            tag = operations.tag(request, edition)
            if has(request, tag):
                return not_modified(request, tag, caching)
            conditions = question.conditions(query)
            sort = getattr(query, "sort", None)
            total, rows = await _search(found, found.page, conditions, sort, query.page, query.size)
            head = as_json(
                {"version": edition.version, "total": total, "page": query.page, "size": query.size}
            )
            body = b'%b,"items":[%b]}' % (head[:-1], ",".join(rows).encode())
            return respond(request, body, JSON, tag, caching)

        item = _item(table)
        schema = {
            "type": "object",
            "required": ["version", "total", "page", "size", "items"],
            "properties": TOLD
            | {
                "total": {"type": "integer", "description": "Rows that meet the question."},
                "page": {"type": "integer"},
                "size": {"type": "integer"},
                "items": {"type": "array", "items": item},
            },
            "additionalProperties": False,
        }
        links = None
        if route.name and table:
            row = f"$response.body#/items/0/{route.name}"
            links = {
                "one": {
                    "operationId": _operation_id(f"{path}/{{name}}"),
                    "parameters": {"name": row},
                }
            }
        parameters = question.parameters()
        self.get(path, list_rows, route.summary, scope, schema, links, parameters=parameters)

    def _add_one(self, route: Route, path: str, table: Table | None) -> None:
        operations = self
        scope, caching = _care(table)

        async def one_row(request: Request, name: Name) -> Response:
            take_none(request)
            edition, found = operations._source(route)
            tag = operations.tag(request, edition)
            row = await _search(found, found.one, route.name, name)
            if row is None:
                raise HTTPException(404, "nothing is called so; the list names all")
            if has(request, tag):
                return not_modified(request, tag, caching)
            body = b'{"version":"%b","item":%b}' % (edition.version.encode(), row.encode())
            return respond(request, body, JSON, tag, caching)

        schema = {
            "type": "object",
            "required": ["version", "item"],
            "properties": TOLD | {"item": _item(table)},
            "additionalProperties": False,
        }
        self.get(f"{path}/{{name:path}}", one_row, f"{route.summary} One by name.", scope, schema)

    def _source(self, route: Route) -> tuple[Edition, Table]:
        """Return the table that a route answers from, or say why there is none."""
        edition = self.editions.live if route.is_live else self.edition
        if edition is None:
            told = (
                "no stream publishes here: wardhouse stream does so after each cycle"
                if self._is_internal
                else "what is live is for internal readers alone"
            )
            raise HTTPException(404, told)
        if route.table not in edition.tables:
            readers = f"{self.editions.audience} readers"
            why = "it was not built" if self._is_internal else "it is for internal readers alone"
            raise HTTPException(404, f"version {edition.version} has none for {readers}: {why}")
        return edition, edition.tables[route.table]

    def _add_patients(self, tables: dict[str, Table]) -> None:
        """Add the tables of which a row is about one patient, and a list of them."""
        paths = {name: f"{PATIENTS}/{_path_of(name)}" for name in tables}
        operations = self

        async def list_tables(request: Request) -> Response:
            take_none(request)
            if not paths:
                raise HTTPException(404, "no table about single patients is published here")
            tag = operations.tag(request, operations.edition)
            if has(request, tag):
                return not_modified(request, tag)
            told = {"version": operations.edition.version, "items": list(paths.values())}
            return respond(request, as_json(told), JSON, tag)

        items = {"type": "array", "items": {"type": "string"}, "description": "Their paths."}
        schema = {
            "type": "object",
            "required": ["version", "items"],
            "properties": TOLD | {"items": items},
            "additionalProperties": False,
        }
        self.get(PATIENTS, list_tables, "Tables about single patients.", "patients", schema)
        for name, path in paths.items():
            columns = tables[name].columns.items()
            filters = {each: each for each, column in columns if column.kind in ("text", "boolean")}
            route = Route(path, name, f"Single people, as {name} has them.", filters)
            self._add_list(route, path, tables[name])


def _care(table: Table | None) -> tuple[str, str]:
    """Tell which scope a table asks for, and what a reader may keep of it."""
    is_of_patients = table is not None and table.is_patient_level
    return ("patients", UNKEPT) if is_of_patients else ("read", REVALIDATED)


def _item(table: Table | None) -> dict[str, Any]:
    if table is None:
        return {"type": "object"}
    return {
        "type": "object",
        "required": list(table.columns),
        "properties": {name: column.schema() for name, column in table.columns.items()},
        "additionalProperties": False,
    }


def _path_of(name: str) -> str:
    return name.replace(".", "/").replace("_", "-")


def _operation_id(path: str) -> str:
    return "get_" + "_".join(part.strip("{}").replace("-", "_") for part in path.split("/") if part)
