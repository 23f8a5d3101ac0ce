"""A topic by hand: a bare confluent-kafka consumer that writes what it gets into one file.

What an engineer would write who wants the bytes fast and nothing more: no offsets kept, no restart.
It is the yardstick of `wardhouse bench stream`.

Usage: python kafka_script.py BOOTSTRAP TOPIC OUT_DIR
"""

import json
import os
import sys
import time
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from wardhouse.settings import environment
from wardhouse.streaming.kafka_settings import kafka_settings
from wardhouse.streaming.sources.kafka import CONSUMER_DEFAULTS

BATCH = 10_000


def main(bootstrap: str, topic: str, out: Path) -> None:
    """Consume a topic from its beginning to its present end."""
    # The settings of ingest, so that neither side reads larger pieces than the other.
    chosen = kafka_settings(environment())
    settings = {**CONSUMER_DEFAULTS, **chosen, "bootstrap.servers": bootstrap}
    consumer = Consumer({**settings, "group.id": "wardhouse-bench", "enable.auto.commit": False})
    places = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    parts = [TopicPartition(topic, place, OFFSET_BEGINNING) for place in places]
    n_wanted = sum(high - low for low, high in map(consumer.get_watermark_offsets, parts))
    consumer.assign(parts)
    n_records, began = 0, 0.0
    with (out / "payloads").open("wb") as file:
        while n_records < n_wanted:
            messages = consumer.consume(BATCH, 0.1)
            began = began or (time.monotonic() if messages else 0.0)
            for message in messages:
                if message.error():
                    sys.exit(message.error().str())
            if messages:
                file.write(b"\n".join(message.value() or b"" for message in messages) + b"\n")
            n_records += len(messages)
        file.flush()
        os.fsync(file.fileno())
    seconds = time.monotonic() - began
    consumer.close()
    (out / "answer.json").write_text(json.dumps({"n_records": n_records, "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
