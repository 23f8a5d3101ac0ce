"""Pages for people, which need no network: the routes as they are, and where to log in once."""

import base64
import hashlib
from html import escape
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from wardhouse.api.answers import UNKEPT, as_json, respond
from wardhouse.api.callers import CALLER, COOKIE
from wardhouse.api.keys import SESSION_SECONDS, Doorkeeper
from wardhouse.api.operations import JSON, Operations, guard, require

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid #ddd; padding: .25rem .5rem; text-align: left }
code { background: #f4f4f4; padding: 0 .25rem }
summary { cursor: pointer; padding: .25rem 0 }
input, button { font: inherit; padding: .4rem }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
HTML = "text/html; charset=utf-8"
LOGIN = "/login"
FORM = "application/x-www-form-urlencoded"


def add_pages(
    operations: Operations, doorkeeper: Doorkeeper, is_secure: bool, name: str | None = None
) -> None:
    """Add the description of the API, its page, and /login.

    Parameters
    ----------
    operations
        With all routes.
    doorkeeper
        Who knows the keys.
    is_secure
        Whether a browser shall send the cookie by HTTPS alone.
    name
        What browsers elsewhere call this server, where a proxy calls it by another name.
    """
    app = operations.app
    hidden: dict[str, Any] = {"include_in_schema": False}

    @app.get("/openapi.json", dependencies=[guard("read")], **hidden)
    async def openapi(request: Request) -> Response:
        tag = operations.tag(request, operations.edition)
        return respond(request, as_json(operations.schema()), JSON, tag)

    @app.get("/docs", **hidden)
    async def docs(request: Request) -> Response:
        if request.scope[CALLER] is None:
            return RedirectResponse(LOGIN, 303, {"Cache-Control": UNKEPT})
        require(request, "read")
        tag = operations.tag(request, operations.edition)
        return respond(request, _page("API", _operations(operations.schema())), HTML, tag)

    @app.get(LOGIN, **hidden)
    async def login_page() -> Response:
        return _form()

    @app.post(LOGIN, **hidden)
    async def login(request: Request) -> Response:
        if not _is_ours(request, name):
            raise HTTPException(403, "log in from the page of this server")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            raise HTTPException(415)
        form = await request.form(max_fields=5, max_files=0)
        asked = form.get("key")
        key = doorkeeper.holder(asked.strip()) if isinstance(asked, str) else None
        if key is None:
            return _form("No key is known that reads so.", 401)
        answer = RedirectResponse("/docs", 303, {"Cache-Control": UNKEPT})
        answer.set_cookie(
            COOKIE,
            doorkeeper.session(key),
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=is_secure,
        )
        return answer


def _is_ours(request: Request, name: str | None) -> bool:
    """Whether a form was sent by a page of this server, as far as the browser says."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "none":
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return True
    try:
        told = urlsplit(origin)
    except ValueError:
        return False
    is_named = name is not None and (told.scheme, told.hostname) == ("https", name)
    return is_named or told.netloc == request.headers.get("host")


def _form(wrong: str = "", status: int = 200) -> Response:
    told = f"<p role=alert>{escape(wrong)}</p>" if wrong else ""
    body = f"""<h1>Log in</h1>{told}
<form method=post action=/login><p><label>Key <input name=key type=password required
autocomplete=current-password autofocus></label> <button>Log in</button></p></form>"""
    return HTMLResponse(_page("Log in", body), status, {"Cache-Control": UNKEPT})


def _page(title: str, body: str) -> bytes:
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Wardhouse: {title}</title>"
        f"<meta name=viewport content='width=device-width'><style>{STYLE}</style>{body}"
    ).encode()


def _operations(schema: dict[str, Any]) -> str:
    """Show what there is to ask, each with its parameters and the columns of its answer."""
    parts = [f"<h1>{escape(schema['info']['title'])} API</h1>"]
    parts.append(f"<p>{escape(schema['info']['description'])}</p>")
    parts.append("<p>The same for programs: <a href=/openapi.json>openapi.json</a></p>")
    for path, methods in schema["paths"].items():
        told = methods["get"]
        title = f"<code>GET {escape(path)}</code> {escape(told['summary'])}"
        parameters = [
            (each["name"], each["schema"], each.get("description", ""))
            for each in told.get("parameters", [])
        ]
        content = next(iter(told["responses"]["200"]["content"].values()))["schema"]
        answer = content.get("properties", {})
        row = answer.get("item") or answer.get("items", {}).get("items", {})
        columns = [
            (name, each, each.get("description", ""))
            for name, each in row.get("properties", {}).items()
        ]
        tables = _table("Parameter", parameters) + _table("Column", columns)
        parts.append(f"<details><summary>{title}</summary>{tables}</details>")
    return "".join(parts)


def _table(heading: str, rows: list[tuple[str, dict[str, Any], str]]) -> str:
    if not rows:
        return ""
    lines = "".join(
        f"<tr><td><code>{escape(name)}</code><td>{escape(_type(schema))}<td>{escape(told)}"
        for name, schema, told in rows
    )
    return f"<table><tr><th>{heading}<th>Type<th>Meaning{lines}</table>"


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "a column of the answer" if len(schema["enum"]) > 4 else " or ".join(schema["enum"])
    kind = schema.get("type", "")
    return schema.get("format") or (kind[0] if isinstance(kind, list) else kind)
