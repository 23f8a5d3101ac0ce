"""Simulated streams as tests play them: into memory, or by the command."""

import json
import time
from datetime import UTC, datetime

from typer.testing import CliRunner
from wardhouse import cli

START = int(datetime(2025, 9, 1, tzinfo=UTC).timestamp() * 1000)


class Memory:
    """A sink that remembers."""

    def __init__(self, is_keyed=False):
        self.is_keyed = is_keyed
        self.written = []

    def write(self, feed, moment, messages):
        """Remember what was written when."""
        self.written.append((time.time(), feed, moment, messages))

    def lines(self, feed):
        """Give the messages of a feed."""
        return b"".join(m for _, name, _, m in self.written if name == feed).split(b"\n")[:-1]


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run(*options, **settings):
    return CliRunner().invoke(cli.app, [*map(str, options)], **settings)


def read(line):
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
