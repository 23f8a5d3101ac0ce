"""The messages that wardhouse ends with or prints as an error, read from its source."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builds import PROJECT

# Whose text reaches people as it is. What an area's generator or a benchmark says is not listed.
ERRORS = {
    "AlertError",
    "BadParameter",
    "DbtRuntimeError",
    "ExportError",
    "FileModeError",
    "FileNotFoundError",
    "KeysError",
    "OSError",
    "Problem",
    "PublishError",
    "PurgeError",
    "RefusedError",
    "ReportError",
    "ServeError",
    "SettingError",
    "StreamError",
}
TELLERS = {"fail", "append"}  # the last one: of lists named problems
REFUSING = {
    "feeds",
    "files",
    "land",
    "options",
    "plan",
}  # of the landing, by return
UNLISTED = {"bench", "synthetic", "areas", "ml"}
RAISED = re.compile(r"raise_compiler_error\(\s*((?:\"[^\"]*\"|'[^']*'|[^\"'()]|\([^()]*\))*)\)")
LITERAL = re.compile(r"\"([^\"]*)\"|'([^']*)'")
VALUE = "\N{HORIZONTAL ELLIPSIS}"
LEAST_LETTERS = 8  # a piece with fewer is only a value between marks


@dataclass(frozen=True, order=True)
class Message:
    """A message: its file, and its text with an ellipsis for each value."""

    file: str
    shape: str

    @property
    def fixed(self) -> str:
        """Give the longest piece of it that is always the same."""
        return max((piece.strip() for piece in self.shape.split(VALUE)), key=len)


def messages() -> list[Message]:
    """Read all messages of commands, landing, streams, alerts, exports and macros."""
    found = set()
    package = PROJECT / "scripts" / "wardhouse"
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in UNLISTED:
            tree = ast.parse(path.read_text())
            found |= {Message(_named(path), shape) for shape in of_python(tree)}
            if path.stem in REFUSING:
                found |= {Message(_named(path), shape) for shape in returned(tree)}
    for path in sorted((PROJECT / "macros").rglob("*.sql")):
        found |= {Message(_named(path), shape) for shape in of_macros(path.read_text())}
    return sorted(each for each in found if len(each.fixed) >= LEAST_LETTERS)


def _named(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def of_python(tree: ast.Module) -> Iterator[str]:
    """Give the texts that a module's errors and its list of problems are made with."""
    known = _constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _tells(node.func):
            for argument in node.args:
                if shape := _shape(argument, known):
                    yield " ".join(shape.split())


def returned(tree: ast.Module) -> Iterator[str]:
    """Give the texts with values that functions of the landing return as what is wrong."""
    known = _constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and node.value:
            for text in ast.walk(node.value):
                if isinstance(text, ast.JoinedStr):
                    shape = " ".join(_shape(text, known).split())
                    if any(piece.count(" ") > 1 for piece in shape.split(VALUE)):
                        yield shape


def _constants(tree: ast.Module) -> dict[str, str]:
    """Give the texts that a module has names for."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def _tells(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        if function.attr == "append":
            return "problems" in ast.unparse(function.value)
        return function.attr in ERRORS
    return isinstance(function, ast.Name) and function.id in ERRORS | TELLERS - {"append"}


def _shape(text: ast.expr, known: dict[str, str]) -> str:
    if isinstance(text, ast.FormattedValue) and isinstance(text.value, ast.Name):
        return known.get(text.value.id, VALUE)
    if isinstance(text, ast.Constant):
        return text.value if isinstance(text.value, str) else ""
    if isinstance(text, ast.JoinedStr):
        return "".join(_shape(each, known) or VALUE for each in text.values)
    if isinstance(text, ast.BinOp):
        return (_shape(text.left, known) or VALUE) + (_shape(text.right, known) or VALUE)
    return ""


def of_macros(text: str) -> Iterator[str]:
    """Give the texts that macros stop a run with."""
    for raised in RAISED.findall(text):
        pieces = ["".join(each) for each in LITERAL.findall(raised)]
        if pieces:
            yield " ".join(VALUE.join(pieces).split())
