"""What `wardhouse ingest --until-end` does with a topic, timed from the first message that comes.

Usage: python ingest_script.py BOOTSTRAP TOPIC OUT_DIR
"""

import json
import sys
import time
from pathlib import Path

from wardhouse.settings import environment
from wardhouse.streaming.compaction import Policy
from wardhouse.streaming.ingest import Ingest
from wardhouse.streaming.kafka_settings import kafka_settings
from wardhouse.streaming.sources.base import Chunk
from wardhouse.streaming.sources.kafka import KafkaSource

FEED = "patient_flow.patient_events"


class TimedSource(KafkaSource):
    """A source that remembers when the first messages came (`began`, on the monotonic clock)."""

    began = 0.0

    def read(self, count: int, seconds: float) -> list[Chunk]:
        """Read as any source does."""
        chunks = super().read(count, seconds)
        self.began = self.began or (time.monotonic() if chunks else 0.0)
        return chunks


def main(bootstrap: str, topic: str, out: Path) -> None:
    """Land a topic from its beginning to its present end."""
    settings = {**kafka_settings(environment()), "bootstrap.servers": bootstrap}
    source = TimedSource([topic], settings, f"wardhouse-bench-{out.name}")
    with Ingest(source, out / "landing", FEED, policy=Policy()) as ingest:
        ingest.run(until_end=True)
        seconds = time.monotonic() - source.began
    answer = {"n_records": ingest.counts.n_records, "seconds": seconds}
    (out / "answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
