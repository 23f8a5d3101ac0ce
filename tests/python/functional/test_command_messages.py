"""Messages of commands that end before they do anything, each provoked by its command."""

import json

import pytest
from typer.testing import CliRunner
from wardhouse.cli import app

STREAM = ("--feed", "patient_flow.patient_events", "--raw-dir", "raw")
KAFKA = ("--bootstrap", "localhost:1", "--until-end")
FOLDER = "raw/patient_flow/patient_events"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compact", *STREAM), f"nothing has streamed into {FOLDER}"),
        (("ingest", *STREAM, "--directory", FOLDER), f"{FOLDER} is the folder to land in"),
        (
            ("ingest", *STREAM, *KAFKA, "--topic", "a", "--topic", "b", "--name", "c"),
            "a name of its own is for one topic, not several",
        ),
        (
            ("ingest", *STREAM, *KAFKA, "--topic", "a", "--name", "../b"),
            "'../b' cannot be the beginning of a file's name",
        ),
        (("reset",), "nothing to delete"),
        (("bench", "stream", "--only", "x"), "no part is called x"),
        (("bench", "hospital", "--only", "x"), "no contender is called x"),
    ],
)
def test_command_that_cannot_begin_says_why(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARDHOUSE_DB", str(tmp_path / "none.duckdb"))
    check(arguments, message)
    assert not list(tmp_path.rglob("*.duckdb"))


def test_reset_of_what_is_no_warehouse_says_so_and_leaves_it(tmp_path, monkeypatch):
    place = tmp_path / "a.duckdb"
    place.write_text("no database, but long enough to be taken for a damaged one" * 300)
    monkeypatch.setenv("WARDHOUSE_DB", str(place))
    check(("reset",), "cannot be read, delete it by hand: ")
    assert place.is_file()


def test_inspect_says_what_is_neither_array_nor_object(tmp_path):
    folder = tmp_path / "hospital"
    folder.mkdir()
    (folder / "patient_feedback.json").write_text(json.dumps("text"))
    check(("inspect", tmp_path), "neither a JSON array nor a JSON object")


def check(arguments, message: str) -> None:
    """Run a command and hold that it ends with 1 or 2 and the message, without a traceback."""
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (1, 2)
    said = " ".join(result.output.replace("│", " ").split())
    assert message in said, result.output
    assert "Traceback" not in said
