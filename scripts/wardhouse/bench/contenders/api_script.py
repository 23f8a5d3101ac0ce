"""Providers over HTTP by Flask and SQLite, as somebody writes it who needs it next week.

Usage: python api_script.py DATABASE SHA256_OF_THE_KEY PORT
"""

import hashlib
import hmac
import logging
import sqlite3
import sys

from flask import Flask, abort, g, jsonify, request

DATABASE, KEY, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
app = Flask(__name__)


def database() -> sqlite3.Connection:
    """Return the connection of this request."""
    if "database" not in g:
        g.database = sqlite3.connect(DATABASE)
        g.database.row_factory = sqlite3.Row
    return g.database


@app.teardown_appcontext
def close(error: BaseException | None) -> None:
    """Close it."""
    if "database" in g:
        g.pop("database").close()


with sqlite3.connect(DATABASE) as first:
    COLUMNS = {row[1] for row in first.execute("pragma table_info(providers)")}


@app.before_request
def check_key() -> None:
    """Let nobody in without the key."""
    sent = hashlib.sha256(request.headers.get("X-API-Key", "").encode()).hexdigest()
    if not hmac.compare_digest(sent, KEY):
        abort(401)


def whole(name: str, default: int, most: int) -> int:
    """Read a whole number."""
    value = request.args.get(name, str(default))
    if not value.isdecimal() or not 1 <= int(value) <= most:
        abort(422)
    return int(value)


@app.get("/providers")
def providers():
    """List providers."""
    if set(request.args) - {"pipeline_stage", "sort", "page", "size"}:
        abort(422)
    page, size = whole("page", 1, 1_000_000), whole("size", 20, 100)
    sort = request.args.get("sort", "provider_name")
    column = sort.removeprefix("-")
    if column not in COLUMNS:
        abort(422)
    where, values = "", []
    if stage := request.args.get("pipeline_stage"):
        where, values = "where lower(pipeline_stage) = lower(?)", [stage]
    order = f"{column} {'desc' if sort.startswith('-') else 'asc'} nulls last"
    total = database().execute(f"select count(*) from providers {where}", values).fetchone()[0]  # noqa: S608
    rows = database().execute(
        f"select * from providers {where} order by {order} limit ? offset ?",  # noqa: S608
        [*values, size, (page - 1) * size],
    )
    items = [dict(row) for row in rows]
    return jsonify(total=total, page=page, size=size, items=items)


@app.get("/providers/<name>")
def provider(name: str):
    """Show one provider."""
    row = (
        database()
        .execute("select * from providers where lower(provider_name) = lower(?)", [name])
        .fetchone()
    )
    return jsonify(item=dict(row)) if row else abort(404)


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the other writes no line a request
    app.run(port=PORT, threaded=True)
