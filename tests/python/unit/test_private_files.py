"""Files with patients' data are open to their owner, or to a group on request, never to all."""

import os

import pytest
from wardhouse.private_files import (
    FileModeError,
    create_private,
    create_private_directory,
    file_mode,
    write_private,
)


@pytest.fixture(autouse=True, params=[0o000, 0o022, 0o077])
def _umask(request):
    mask = os.umask(request.param)
    yield
    os.umask(mask)


def mode_of(path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize(
    ("text", "mode"),
    [("", 0o600), ("0600", 0o600), ("600", 0o600), ("0640", 0o640), ("0660", 0o660)],
)
def test_mode_is_the_one_asked_for_whatever_the_umask(tmp_path, monkeypatch, text, mode):
    monkeypatch.setenv("WARDHOUSE_FILE_MODE", text)
    create_private_directory(tmp_path / "a" / "b")
    path = tmp_path / "a" / "b" / "file"
    create_private(path)
    assert mode_of(path) == mode
    directory_mode = {0o600: 0o700, 0o640: 0o750, 0o660: 0o770}[mode]
    assert [mode_of(path.parent), mode_of(path.parent.parent)] == [directory_mode] * 2


@pytest.mark.parametrize(
    "text", ["0644", "0666", "0606", "0700", "0400", "4600", "384", "rw", "-1"]
)
def test_mode_that_opens_files_to_all_or_means_nothing_is_refused(text):
    with pytest.raises(FileModeError, match=f"WARDHOUSE_FILE_MODE is '{text}': set 0600"):
        file_mode({"WARDHOUSE_FILE_MODE": text})


def test_existing_places_are_left_alone(tmp_path):
    path = tmp_path / "file"
    path.write_text("kept")
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    create_private_directory(tmp_path)
    create_private(path)
    assert (path.read_text(), mode_of(path), mode_of(tmp_path)) == ("kept", 0o644, 0o755)


def test_rewritten_file_is_private_and_what_a_killed_writer_left_is_in_nobodys_way(tmp_path):
    path = tmp_path / "file"
    left = tmp_path / f".file.{os.getpid()}"
    for old in (path, left):
        old.write_text("of a killed writer")
        old.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), mode_of(path)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]
