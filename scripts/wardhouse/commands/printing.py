"""How commands print: as wide as a terminal is, and into a pipe as wide as the text is."""

import unicodedata
from collections.abc import Iterable
from io import StringIO
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

BARE = {"box": None, "pad_edge": False}  # a table without lines
_AS_WIDE_AS_IT_IS = 100_000


def print_line(console: Console, text: str, style: str = "") -> None:
    """Print a text whole, without markup or commands to the terminal of its own."""
    console.print(escape(_harmless(text)), style=style, soft_wrap=True, highlight=False)


def fail(error: Exception | str) -> NoReturn:
    """Say on standard error why a command cannot go on, and end it with 1."""
    print_line(Console(stderr=True), str(error), "red")
    raise typer.Exit(1) from (error if isinstance(error, Exception) else None)


def cells(texts: Iterable[str]) -> list[Text]:
    """Make somebody else's texts the cells of one row, without markup or commands of their own."""
    return [Text(_harmless(text).replace("\n", " ")) for text in texts]


def print_table(console: Console, table: Table) -> None:
    """Print a table; in a pipe no cell is cut, and a row is a line."""
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(file=StringIO(), width=_AS_WIDE_AS_IT_IS)
    wide.print(table)
    for line in wide.file.getvalue().splitlines():
        console.out(line.rstrip(), highlight=False)


def _harmless(text: str) -> str:
    """Replace control characters, of which a terminal would take some for commands."""
    return "".join(
        "\ufffd" if unicodedata.category(sign)[0] == "C" and sign != "\n" else sign for sign in text
    )
