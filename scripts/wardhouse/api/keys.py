"""Who may ask: keys with scopes, kept as hashes in a private file that a server re-reads.

A key is 256 random bits, so that its hash needs no salt and no slow function: nobody can try them
all, and equal keys do not occur.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itsdangerous import BadSignature, TimestampSigner

from wardhouse.private_files import create_private_directory, write_private
from wardhouse.publish.versions import locked

if TYPE_CHECKING:
    from collections.abc import Iterator

SCOPES = ("read", "patients", "metrics")
SESSION_SECONDS = 12 * 60 * 60
OTHERS = 0o007
UNREAD: tuple[int, ...] = (-1,)  # the state of no file


class KeysError(Exception):
    """Keys cannot be read or changed; its text is cause and cure in one line."""


@dataclass(frozen=True)
class Key:
    """A key, without what it is proved by.

    Attributes
    ----------
    name : str
        Whose it is; one key has it.
    scopes : tuple of str
        What it opens: read, patients, metrics.
    sha256 : str
        Hash of the key, as hex.
    created_at : datetime
        UTC.
    expires_at : datetime, optional
        From when on it opens nothing, UTC; None never.
    """

    name: str
    scopes: tuple[str, ...]
    sha256: str
    created_at: datetime
    expires_at: datetime | None

    def is_valid(self) -> bool:
        """Whether it still opens something."""
        return self.expires_at is None or datetime.now(UTC) < self.expires_at


ANYBODY = Key("anybody", SCOPES, "", datetime.fromtimestamp(0, UTC), None)


@dataclass(frozen=True)
class KeysFile:
    """What the file holds: the keys, and the secret that signs the cookies of browsers."""

    keys: tuple[Key, ...]
    secret: str


def read_keys(path: Path) -> KeysFile:
    """Read the file; where there is none, no key is known.

    Raises
    ------
    KeysError
        When others may read it, or it is damaged.
    """
    try:
        if path.stat().st_mode & OTHERS:
            raise KeysError(f"{path} is open to all: chmod 600 it, and replace its keys")
        told = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(told["secret"], str):
            raise TypeError("a secret is a text")
        return KeysFile(tuple(map(_key, told["keys"])), told["secret"])
    except FileNotFoundError:
        return KeysFile((), secrets.token_urlsafe(32))
    except OSError as error:
        raise _unreadable(path, error) from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise KeysError(f"{path} holds no keys: delete it, and add them again") from error


def _unreadable(path: Path, error: OSError) -> KeysError:
    return KeysError(
        f"{path} cannot be read: {error.strerror}; permit it, or set WARDHOUSE_KEYS_FILE to another"
    )


def _key(told: dict[str, Any]) -> Key:
    times = (told["created_at"], told["expires_at"])
    created_at, expires_at = (time and datetime.fromisoformat(time) for time in times)
    name, sha256 = told["name"], told["sha256"]
    if not (isinstance(name, str) and isinstance(sha256, str)):
        raise TypeError("a name and a hash are texts")
    if expires_at and expires_at.tzinfo is None:
        raise ValueError("a time without its zone")
    return Key(name, tuple(told["scopes"]), sha256, created_at, expires_at)


@contextmanager
def _changing(path: Path) -> Iterator[dict[str, Key]]:
    """Give the keys by name, and write them back; one process at a time.

    Where the path is a symbolic link, the file that it leads to is replaced, and the link stays.
    """
    path = Path(os.path.realpath(path))  # unlike resolve it leaves a link to itself to the reader
    try:
        create_private_directory(path.parent)
        with locked(path.parent, fcntl.LOCK_EX):
            yield from _changed(path)
    except OSError as error:
        raise KeysError(
            f"{path} cannot be written: {error.strerror}; permit it, or set WARDHOUSE_KEYS_FILE to "
            "another"
        ) from error


def _changed(path: Path) -> Iterator[dict[str, Key]]:
    before = read_keys(path)
    keys = {key.name: key for key in before.keys}
    yield keys
    told = {
        "secret": before.secret,
        "keys": [
            {
                "name": key.name,
                "scopes": key.scopes,
                "sha256": key.sha256,
                "created_at": key.created_at.isoformat(),
                "expires_at": key.expires_at and key.expires_at.isoformat(),
            }
            for key in keys.values()
        ],
    }
    write_private(path, json.dumps(told, indent=1) + "\n", is_synced=True)


def add_key(path: Path, name: str, scopes: list[str], expires_at: datetime | None) -> str:
    """Make a key, keep its hash, and return it: nobody can be told it again.

    Raises
    ------
    KeysError
        When the name is taken, or the file is damaged.
    """
    token = f"wh_{secrets.token_urlsafe(32)}"
    with _changing(path) as keys:
        if name in keys:
            raise KeysError(f"there is a key of {name}: remove it first, or choose another name")
        keys[name] = Key(name, tuple(scopes), _hash(token), datetime.now(UTC), expires_at)
    return token


def remove_key(path: Path, name: str) -> None:
    """Forget a key; a server that runs refuses it within a second.

    Raises
    ------
    KeysError
        When there is none of the name, or the file is damaged.
    """
    with _changing(path) as keys:
        if keys.pop(name, None) is None:
            raise KeysError(f"there is no key of {name}: wardhouse keys list names them")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def _state(path: Path) -> tuple[int, ...]:
    """Tell a file from what it was before, its mode included; nothing where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _unreadable(path, error) from error
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


class Doorkeeper:
    """Knows who asks: by a key, or by the cookie that a browser got for one.

    Parameters
    ----------
    path
        The file of keys; it is read again when it changes. None lets anybody in.

    Raises
    ------
    KeysError
        When the file is damaged, or open to others.
    """

    def __init__(self, path: Path | None):
        self._path = path
        self._seen = UNREAD
        self._file = KeysFile((), secrets.token_urlsafe(32))
        self.refresh()

    @property
    def keys(self) -> tuple[Key, ...]:
        """Return the keys as they were last read."""
        return self._file.keys

    def refresh(self) -> None:
        """Read the file again where it changed.

        Raises
        ------
        KeysError
            When it cannot be read, is damaged or open to others: until it is right again no key
            opens anything, because nobody can tell which were removed.
        """
        if self._path is None:
            return
        try:
            seen = _state(self._path)
            if seen != self._seen:
                read = read_keys(self._path)
                self._file = read if seen else replace(read, secret=self._file.secret)
                self._seen = seen
        except Exception:
            self._file, self._seen = replace(self._file, keys=()), UNREAD
            raise

    def holder(self, token: str) -> Key | None:
        """Return whose key it is, in a time that does not depend on which is nearly right."""
        return self._of_hash(_hash(token))

    def session(self, key: Key) -> str:
        """Sign what a browser keeps instead of a key: it ends with the key, or after hours."""
        return self._signer.sign(key.sha256).decode()

    def of_session(self, cookie: str) -> Key | None:
        """Return whose cookie it is."""
        try:
            signed = self._signer.unsign(cookie, max_age=SESSION_SECONDS).decode()
        except (BadSignature, UnicodeError):
            return None
        return self._of_hash(signed)

    def _of_hash(self, sha256: str) -> Key | None:
        found = None
        for key in self._file.keys:
            if hmac.compare_digest(key.sha256, sha256) and key.is_valid():
                found = key
        return found

    @property
    def is_open(self) -> bool:
        """Whether anybody may ask."""
        return self._path is None

    @property
    def _signer(self) -> TimestampSigner:
        return TimestampSigner(self._file.secret, salt="session", digest_method=hashlib.sha256)
