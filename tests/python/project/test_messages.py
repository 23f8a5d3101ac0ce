"""Every message that a user can meet is explained in the documentation."""

import re

import pytest
from builds import PROJECT
from messages import VALUE, messages

PAGE = PROJECT / "docs" / "troubleshooting.md"


@pytest.fixture(scope="module")
def page() -> str:
    """Return the page as one line, without the marks of code."""
    return " ".join(PAGE.read_text().replace("`", "").split())


def test_every_message_is_explained(page):
    missing = [
        f"{each.file}: {each.shape}"
        for each in messages()
        if each.fixed.replace("`", "") not in page
    ]
    assert not missing, f"explain in {PAGE.name}:\n" + "\n".join(missing)


def test_messages_are_found_in_every_room():
    """Else the test above would hold while the reader of the source reads nothing."""
    found = messages()
    folders = {each.file.rpartition("/")[0] for each in found}
    assert {f"scripts/wardhouse/{room}" for room in ("landing", "quality", "streaming")} <= folders
    assert {"macros/parse", "macros/materializations", "scripts/wardhouse"} <= folders
    assert len(found) > 80
    assert any(each.shape.startswith(VALUE) for each in found)


def test_every_row_has_cause_and_cure_and_stands_once():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    told = [message for row in rows for message in re.findall("`([^`]+)`", row.split(" | ")[0])]
    assert sorted(told) == sorted(set(told))
    bad = [row for row in rows if len([cell for cell in row.split(" | ") if cell.strip("| ")]) != 3]
    assert bad == []
