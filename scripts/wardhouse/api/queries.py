"""What a list may be asked: a model of its parameters, made of the columns that are published."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from wardhouse.api.tables import Column, Condition
from wardhouse.routes import Route

LARGEST_PAGE = 1_000_000
LARGEST_SIZE = 100
SIZE = 20
LARGEST_WHOLE = 2**63 - 1
WORDS = {"is": "is this, in any case", "min": "is at least this", "max": "is at most this"}


def _written_as(pattern: str, meaning: str) -> BeforeValidator:
    """Refuse what Python would read as a number or a day and others would not."""
    written = re.compile(pattern, re.ASCII)

    def check(value: Any) -> Any:
        if isinstance(value, str) and not written.fullmatch(value):
            raise PydanticCustomError("written", f"Input should be {meaning}")
        return value

    return BeforeValidator(check)


def _in_utc(moment: datetime) -> datetime:
    """Give a time as tables hold it: UTC, without a zone."""
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise ValueError("a year that no calendar here has") from error


Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
_WHOLE = _written_as(r"-?\d{1,19}", "a whole number")
_REAL = _written_as(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", "a number")
_DAY = _written_as(r"\d{4}-\d\d-\d\d", "a day, such as 2026-01-31")
_MOMENT = _written_as(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)",
    "a time with its zone, such as 2026-01-31T12:00:00Z",
)
TYPES: dict[str, Any] = {
    "text": Text,
    "integer": Annotated[int, Field(ge=-LARGEST_WHOLE, le=LARGEST_WHOLE), _WHOLE],
    "number": Annotated[float, Field(allow_inf_nan=False), _REAL],
    "boolean": Literal["true", "false"],
    "date": Annotated[date, _DAY],
    "timestamp": Annotated[datetime, _MOMENT, AfterValidator(_in_utc)],
}


class Asked(BaseModel):
    """What all lists take: which page, and how many rows are on it."""

    model_config = ConfigDict(extra="forbid")

    page: Annotated[int, Field(ge=1, le=LARGEST_PAGE, description="Page, from 1."), _WHOLE] = 1
    size: Annotated[int, Field(ge=1, le=LARGEST_SIZE, description="Rows of a page."), _WHOLE] = SIZE


class Question:
    """What one list may be asked.

    Parameters
    ----------
    route
        Its filters and ranges.
    columns
        Of its table, as it is published; None where that is not known before it is asked: it is
        then filtered by texts, and not sorted.
    """

    def __init__(self, route: Route, columns: dict[str, Column] | None):
        compared = [(each, column, "is") for each, column in route.filters.items()]
        compared += [
            (f"{comparison}_{column}", column, comparison)
            for column in route.ranges
            for comparison in ("min", "max")
        ]
        unknown = Column("text", "")
        self._conditions = {
            parameter: (column, comparison, columns[column] if columns else unknown)
            for parameter, column, comparison in compared
            if columns is None or column in columns
        }
        fields = {
            parameter: _optional(TYPES[known.kind], f"Rows whose {column} {WORDS[comparison]}.")
            for parameter, (column, comparison, known) in self._conditions.items()
        }
        if columns:
            sorted_by = [name for name, column in columns.items() if column.kind != "list"]
            orders = tuple(f"{sign}{name}" for name in sorted_by for sign in ("", "-"))
            told = "Column to sort by; a minus before it sorts from high to low."
            fields["sort"] = _optional(Literal[orders], told)
        self._model = create_model("Asked", __base__=Asked, **fields)

    def asked(self, request: Request) -> Asked:
        """Read and check the parameters of a request.

        FastAPI would do the same, and take as long as all the rest of an answer.

        Raises
        ------
        RequestValidationError
            Where one is unknown, wrong or given twice.
        """
        given = request.query_params.multi_items()
        asked = dict(given)
        if len(asked) < len(given):
            names = [name for name, _ in given]
            raise _wrong({name for name in names if names.count(name) > 1}, "Give it once")
        try:
            return self._model.model_validate(asked)
        except ValidationError as error:
            told = error.errors(include_url=False, include_context=False, include_input=False)
            raise RequestValidationError(
                [{**each, "loc": ("query", *each["loc"])} for each in told]
            ) from error

    def parameters(self) -> list[dict[str, Any]]:
        """Describe the parameters for OpenAPI."""
        found = self._model.model_json_schema()["properties"]
        return [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": told["description"],
                "schema": {
                    each: value
                    for each, value in told.items()
                    if each not in ("title", "description") and value is not None
                },
            }
            for name, told in found.items()
        ]

    def conditions(self, query: Asked) -> list[Condition]:
        """Return what a row must meet."""
        found = []
        for parameter, (column, comparison, known) in self._conditions.items():
            value = getattr(query, parameter)
            if value is not None:
                told = value == "true" if known.kind == "boolean" else value
                found.append(Condition(column, comparison, told))
        return found


def _optional(kind: Any, told: str) -> tuple[Any, None]:
    return Annotated[kind | SkipJsonSchema[None], Field(description=told)], None


def take_none(request: Request) -> None:
    """Refuse parameters where there are none.

    Raises
    ------
    RequestValidationError
        Where one is given.
    """
    if request.query_params:
        raise _wrong(set(request.query_params), "Extra inputs are not permitted")


def _wrong(parameters: set[str], told: str) -> RequestValidationError:
    return RequestValidationError(
        [{"loc": ("query", name), "msg": told, "type": "wrong"} for name in sorted(parameters)]
    )
