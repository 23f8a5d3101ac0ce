"""Chooses the source that options name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wardhouse.settings import environment
from wardhouse.streaming.batches import StreamError

if TYPE_CHECKING:
    from wardhouse.streaming.sources.base import Source

GROUP_PREFIX = "wardhouse."


def open_source(
    bootstrap: str | None,
    topics: list[str],
    directory: Path | None,
    feed: str,
    folder: Path,
    group: str | None = None,
    name: str | None = None,
    accept_gap: bool = False,
) -> Source:
    """Choose the source that the options name.

    Parameters
    ----------
    bootstrap, topics, group, name, accept_gap
        Of `sources.kafka.KafkaSource`; further settings come from the environment.
    directory
        Of `sources.directory.DirectorySource`, instead of the others.
    feed, folder
        What is landed, and where.

    Raises
    ------
    StreamError
        When the options contradict each other or name nothing.
    """
    from wardhouse.streaming.sources.directory import DirectorySource
    from wardhouse.streaming.sources.kafka import KafkaSource

    if directory is not None:
        if topics or name or accept_gap:
            raise StreamError("give either --directory or --topic with its options")
        if directory.resolve() == folder.resolve():
            raise StreamError(f"{directory} is the folder to land in")
        return DirectorySource(directory)
    from wardhouse.streaming.kafka_settings import kafka_settings

    settings = kafka_settings(environment())
    if bootstrap:
        settings["bootstrap.servers"] = bootstrap
    if not topics or not settings.get("bootstrap.servers"):
        raise StreamError("give --bootstrap and --topic, or --directory")
    group = group or settings.get("group.id") or GROUP_PREFIX + feed
    return KafkaSource(topics, {**settings, "group.id": group}, group, name, accept_gap)
