"""Options that several commands have, and those that areas declare."""

from __future__ import annotations

import inspect
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from wardhouse.areas.declared import Option


class Audience(StrEnum):
    """Readers of what is published."""

    internal = "internal"
    shared = "shared"


Seed = Annotated[int, typer.Option(help="The same seed gives the same bytes, unless live.")]
DirtFactor = Annotated[float, typer.Option(min=0, help="Times the usual dirt; 0 is clean.")]
ShareOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND=SHARE",
        help="Share of one kind of dirt among the records that can bear it; may be repeated. "
        "A wrong kind lists them all.",
    ),
]


def parameter_of(option: Option) -> inspect.Parameter:
    """Make the parameter of a command that an area's option is."""
    kind = type(option.default)
    limits = {} if kind is bool else {"min": option.minimum, "max": option.maximum}
    told = typer.Option(f"--{option.name}", help=option.help, **limits)
    return keyword(option.argument, kind, told, option.default)


def own_options(
    name: str, own: Iterable[Option], every: Iterable[Option], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values of what an area declares, by argument.

    Raises
    ------
    ValueError
        When an option that others alone declare is given; `name` is who has no such option.
    """
    taken = {option.argument: values[option.argument] for option in own}
    for option in every:
        if option.argument not in taken and values[option.argument] != option.default:
            raise ValueError(f"--{option.name}: {name} has no such option")
    return taken


def keyword(name: str, kind: type, told: Any, default: Any) -> inspect.Parameter:
    """Make a parameter of a command: its type, what Typer says of it, and its default."""
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, told]
    )


def with_parameters(
    command: Callable[..., None], parameters: Iterable[inspect.Parameter]
) -> Callable[..., None]:
    """Return a command that takes these parameters as its keyword arguments, for Typer to read."""
    signature = inspect.signature(command, eval_str=True)
    named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    every = [p.replace(kind=p.KEYWORD_ONLY) for p in named] + list(parameters)

    def call(**values: Any) -> None:
        command(**values)

    call.__doc__ = command.__doc__
    call.__signature__ = signature.replace(parameters=every)
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
    return call
